//! What holds on every path: random runs through the rules, with a small model of the store that applies what they say.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use serde_json::json;
use tidegate_core::{
    ids::{LeaseId, StateId},
    orchestration::{
        CollisionStrategy, Effect, FlowRun, FlowRunFacts, FlowRunPolicyKind, Owner, Ruling, Status, TaskRunPolicyKind,
        Version, decide_flow_run, decide_task_run,
    },
    state::{State, StateCreate, StateDetails, StateType},
};

use crate::{
    examples::{flow_run, later, limit, tag, task_run},
    fixtures::uid,
};

/// What happens to a run: somebody proposes a state, or time passes.
#[derive(Clone, Debug)]
enum Event {
    Propose(Proposal),
    /// The lease of the run's slot expires, and the reaper takes the slot back.
    ReapSlot,
    /// So many other runs hold slots now.
    OthersHold(i64),
    Pass(i64),
}

#[derive(Clone, Debug)]
struct Proposal {
    kind: StateType,
    name: Option<&'static str>,
    policy: FlowRunPolicyKind,
    client: Option<Version>,
    speaker: Speaker,
    persisted: bool,
    reschedules: bool,
    transition: Option<u64>,
}

/// Who proposes: somebody without a token, a worker that claims, or a process of the n-th attempt.
#[derive(Clone, Copy, Debug)]
enum Speaker {
    Plain,
    Claimer,
    Attempt(i64),
}

fn kind() -> impl Strategy<Value = StateType> {
    prop::sample::select(StateType::ALL.to_vec())
}

fn proposal() -> impl Strategy<Value = Proposal> {
    let name = prop::option::weighted(
        0.3,
        prop::sample::select(vec!["Late", "AwaitingRetry", "Submitting", "Resuming", "Suspended"]),
    );
    let policy = prop_oneof![8 => Just(FlowRunPolicyKind::Core), 2 => Just(FlowRunPolicyKind::Minimal)];
    let client =
        prop::sample::select(vec![Some(Version(3, 8, 8)), Some(Version(3, 4, 10)), Some(Version(3, 0, 4)), None]);
    let speaker =
        prop_oneof![4 => Just(Speaker::Plain), 2 => Just(Speaker::Claimer), 3 => (0..4_i64).prop_map(Speaker::Attempt)];
    let rest = (any::<bool>(), prop::bool::weighted(0.3), prop::option::weighted(0.2, 0..3_u64));
    (kind(), name, policy, client, speaker, rest).prop_map(|(kind, name, policy, client, speaker, rest)| {
        let (persisted, reschedules, transition) = rest;
        Proposal { kind, name, policy, client, speaker, persisted, reschedules, transition }
    })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => proposal().prop_map(Event::Propose),
        1 => Just(Event::ReapSlot),
        1 => (0..3_i64).prop_map(Event::OthersHold),
        2 => (1..200_i64).prop_map(Event::Pass),
    ]
}

/// The store, as far as one run goes.
struct World {
    run: FlowRun,
    state: Option<State>,
    owner: Option<Owner>,
    last_token: i64,
    /// Slots this run holds: by lease, and whether the lease can expire.
    slots: BTreeMap<LeaseId, bool>,
    limit: i64,
    others: i64,
    strategy: CollisionStrategy,
    now: i64,
    next_id: u64,
}

impl World {
    fn new(retries: Option<i64>, most: i64, strategy: CollisionStrategy) -> Self {
        let mut run = flow_run(None).run;
        run.infrastructure_pid = Some("pid".to_owned());
        run.empirical_policy.retries = retries;
        Self {
            run,
            state: None,
            owner: None,
            last_token: 0,
            slots: BTreeMap::new(),
            limit: most,
            others: 0,
            strategy,
            now: 0,
            next_id: 100,
        }
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn facts(&mut self, proposal: &Proposal) -> FlowRunFacts {
        let now = later(self.now);
        let lease = self.state.as_ref().and_then(|state| state.state_details.deployment_concurrency_lease_id);
        let new_lease_id = LeaseId::from(uid(self.id()));
        let mut facts = flow_run(self.state.clone());
        let deployment = facts.deployment.as_mut().unwrap();
        deployment.limit = Some(limit(self.limit, self.others + self.slots.len() as i64));
        deployment.collision_strategy = self.strategy;
        let claim = Owner {
            name: "worker".to_owned(),
            token: self.last_token + 1,
            deadline: now.plus_seconds(60.0),
            attempt: 1,
        };
        FlowRunFacts {
            now,
            policy: proposal.policy,
            client_version: proposal.client,
            run: self.run.clone(),
            lease_is_live: lease.is_some_and(|lease| self.slots.contains_key(&LeaseId(lease))),
            owner: self.owner.clone(),
            last_token: self.last_token,
            presented_token: match proposal.speaker {
                Speaker::Attempt(token) => Some(token),
                Speaker::Plain | Speaker::Claimer => None,
            },
            claim: matches!(proposal.speaker, Speaker::Claimer).then_some(claim),
            new_lease_id,
            ..facts
        }
    }

    fn propose(&mut self, proposal: &Proposal) -> (FlowRunFacts, State, Ruling<FlowRun>) {
        let facts = self.facts(proposal);
        let state = StateCreate {
            name: proposal.name.map(str::to_owned),
            data: proposal.persisted.then(|| json!({"type": "reference"}).into()),
            state_details: StateDetails {
                pause_reschedule: proposal.reschedules,
                transition_id: proposal.transition.map(uid),
                ..StateDetails::default()
            },
            ..StateCreate::of(proposal.kind)
        }
        .into_state(StateId::from(uid(self.id())), facts.now);
        let ruling = decide_flow_run(state.clone(), &facts);
        self.apply(&ruling);
        (facts, state, ruling)
    }

    fn apply(&mut self, ruling: &Ruling<FlowRun>) {
        self.run = ruling.run.clone();
        if let Some(state) = &ruling.state {
            self.state = Some(state.clone());
        }
        for effect in &ruling.effects {
            match effect {
                Effect::TakeDeploymentSlot { lease, .. } => {
                    assert!(self.others + (self.slots.len() as i64) < self.limit, "a slot is taken that is not there");
                    self.slots.insert(*lease, true);
                }
                Effect::RenewDeploymentLease { lease, .. } => {
                    assert!(self.slots.contains_key(lease), "a lease is renewed that is not live");
                }
                Effect::KeepSlotWithoutLease { lease, .. } => *self.slots.get_mut(lease).unwrap() = false,
                Effect::ReleaseDeploymentSlot { lease: Some(lease), .. } | Effect::ReleaseLease { lease } => {
                    self.slots.remove(lease);
                }
                Effect::ReleaseDeploymentSlot { lease: None, .. } => {
                    assert!(self.slots.is_empty(), "a slot cannot be named by its own state");
                }
                Effect::SetOwner(owner) => {
                    assert!(self.owner.as_ref().is_none_or(|old| old.deadline <= later(self.now)), "two live owners");
                    assert!(owner.token > self.last_token, "a token is given twice");
                    self.last_token = owner.token;
                    self.owner = Some(owner.clone());
                }
                Effect::ClearOwner => self.owner = None,
                other => panic!("no effect of this run: {other:?}"),
            }
        }
    }

    /// What must hold after each step.
    fn check(&self) {
        let Some(state) = &self.state else { return };
        assert!(self.slots.len() <= 1, "a run holds {} slots", self.slots.len());
        let named = state.state_details.deployment_concurrency_lease_id.map(LeaseId);
        for lease in self.slots.keys() {
            assert_eq!(Some(*lease), named, "the state does not name the lease that it holds");
            let may_hold = matches!(
                state.kind,
                StateType::Pending | StateType::Running | StateType::Cancelling | StateType::Scheduled
            );
            assert!(may_hold, "a {} run holds a slot", state.kind);
        }
        assert!(!(state.is_terminal() && self.owner.is_some()), "a {} run is owned", state.kind);
    }
}

/// The ways out of a terminal state: a retry, a new schedule, or force.
fn may_leave(facts: &FlowRunFacts, to: StateType) -> bool {
    let from = facts.state.as_ref().unwrap();
    match facts.policy {
        FlowRunPolicyKind::Minimal | FlowRunPolicyKind::MarkLate => true,
        FlowRunPolicyKind::Core => {
            let keeps_result = from.kind == StateType::Completed && from.has_persisted_data();
            let is_way_out = match to {
                StateType::Scheduled => facts.run.deployment_id.is_some(),
                StateType::Pending => from.kind != StateType::Cancelled,
                StateType::Running => true,
                StateType::Paused | StateType::Cancelling => false,
                StateType::Completed | StateType::Failed | StateType::Cancelled | StateType::Crashed => {
                    unreachable!("still terminal")
                }
            };
            is_way_out && !keeps_result
        }
    }
}

fn strategy() -> impl Strategy<Value = CollisionStrategy> {
    prop_oneof![Just(CollisionStrategy::Enqueue), Just(CollisionStrategy::CancelNew)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Slots taken are slots released, owners follow one another, and terminal states hold, on every path.
    #[test]
    fn every_path_of_a_flow_run_keeps_the_invariants(
        retries in prop::option::of(0..3_i64), most in 0..3_i64, strategy in strategy(), events in vec(event(), 1..30),
    ) {
        let mut world = World::new(retries, most, strategy);
        for event in events {
            match event {
                Event::ReapSlot => world.slots.retain(|_, expires| !*expires),
                Event::OthersHold(others) => world.others = others.min(world.limit - world.slots.len() as i64).max(0),
                Event::Pass(seconds) => world.now += seconds,
                Event::Propose(proposal) => {
                    let (facts, proposed, ruling) = world.propose(&proposal);
                    prop_assert_eq!(ruling.status == Status::Wait, ruling.delay_seconds.is_some());
                    prop_assert!(!matches!(ruling.status, Status::Wait | Status::Abort) || ruling.state.is_none());
                    prop_assert_eq!(ruling.status == Status::Accept, ruling.settled_by.is_none());
                    if ruling.state.is_none() {
                        prop_assert_eq!(&ruling.run, &facts.run);
                    }
                    if let (Some(from), Some(to)) = (&facts.state, &ruling.state) {
                        prop_assert!(!from.is_terminal() || to.is_terminal() || may_leave(&facts, to.kind), "{} -> {}", from.kind, to.kind);
                        prop_assert!(from.id != to.id && to.id == proposed.id);
                        if let Speaker::Attempt(token) = proposal.speaker {
                            prop_assert!(token >= facts.last_token, "attempt {token} was given up");
                        }
                    }
                    world.check();
                }
            }
        }
        // However it went on: when the run is over, nothing of it is left.
        let end = Proposal {
            kind: StateType::Cancelled, name: None, policy: FlowRunPolicyKind::Minimal, client: None, speaker: Speaker::Plain,
            persisted: false, reschedules: false, transition: None,
        };
        world.propose(&end);
        world.check();
        prop_assert!(world.slots.is_empty() && world.owner.is_none());
    }

    /// A ruling depends on its facts only: again, and from facts that were written and read, it is the same.
    #[test]
    fn a_ruling_depends_on_nothing_but_its_facts(
        retries in prop::option::of(0..3_i64), strategy in strategy(), proposals in vec(proposal(), 1..12),
    ) {
        let mut world = World::new(retries, 1, strategy);
        for proposal in proposals {
            let (facts, proposed, ruling) = world.propose(&proposal);
            let copy: FlowRunFacts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
            prop_assert_eq!(&copy, &facts);
            prop_assert_eq!(&decide_flow_run(proposed.clone(), &facts), &ruling);
            prop_assert_eq!(&decide_flow_run(proposed, &copy), &ruling);
        }
    }

    /// The same for task runs, their tags' slots and their ways out of terminal states.
    #[test]
    fn every_path_of_a_task_run_keeps_the_invariants(
        retries in prop::option::of(0..3_i64), most in vec(0..3_i64, 0..3), others in 0..2_i64,
        steps in vec((kind(), any::<bool>(), 0..4_u8, 0.0..1.0_f64), 1..25),
    ) {
        let mut facts = task_run(None);
        facts.run.empirical_policy.retries = retries;
        let mut held = vec![false; most.len()];
        for (number, (kind, persisted, policy, random)) in steps.into_iter().enumerate() {
            facts.now = later(number as i64 * 40);
            facts.random = random;
            facts.policy = match policy { 0 => TaskRunPolicyKind::Minimal, 1 => TaskRunPolicyKind::Background, _ => TaskRunPolicyKind::Core };
            facts.tag_limits = most.iter().zip(&held).enumerate()
                .map(|(number, (most, held))| tag(number as u64, *most, others.min(*most) + i64::from(*held), *held)).collect();
            let proposed = StateCreate { data: persisted.then(|| json!({"type": "reference"}).into()), ..StateCreate::of(kind) }
                .into_state(StateId::from(uid(200 + number as u64)), facts.now);
            let ruling = decide_task_run(proposed.clone(), &facts);
            prop_assert_eq!(&decide_task_run(proposed, &facts), &ruling);
            for effect in &ruling.effects {
                match effect {
                    Effect::TakeTagSlots { limits, .. } => for (held, tag) in held.iter_mut().zip(&facts.tag_limits) {
                        if limits.contains(&tag.limit.id) {
                            prop_assert!(!*held && !tag.limit.is_full());
                            *held = true;
                        }
                    },
                    Effect::ReleaseTagSlots => held.fill(false),
                    other => panic!("no effect of this run: {other:?}"),
                }
            }
            if let (Some(from), Some(to)) = (&facts.state, &ruling.state) {
                let leaves = from.is_terminal() && !to.is_terminal() && facts.policy != TaskRunPolicyKind::Minimal;
                prop_assert!(!(leaves && from.kind == StateType::Completed && from.has_persisted_data()));
                prop_assert!(!leaves || matches!(to.kind, StateType::Scheduled | StateType::Pending | StateType::Running));
            }
            facts.run = ruling.run;
            facts.state = ruling.state.or(facts.state);
            let runs = facts.state.as_ref().is_some_and(|state| matches!(state.kind, StateType::Running | StateType::Cancelling));
            prop_assert!(runs || held.iter().all(|held| !*held), "a run that does not run holds a slot");
        }
    }
}
