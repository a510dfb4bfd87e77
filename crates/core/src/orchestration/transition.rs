//! The machine that runs rules over a proposed change. Rules enter in order; when all have spoken and the state is known,
//! they leave in reverse order. A rule whose change of state was overturned by a later one is undone instead.

use super::{
    facts::{FlowRunFacts, TaskRunFacts},
    ruling::{Effect, Ruling, Status},
};
use crate::{
    ids::StateId,
    state::{State, StateDetails, StateType},
    time::Timestamp,
};

/// The facts of one kind of run.
pub(super) trait Subject {
    type Run: Clone;
    fn now(&self) -> Timestamp;
    fn initial(&self) -> Option<&State>;
    fn run(&self) -> &Self::Run;
}

impl Subject for FlowRunFacts {
    type Run = super::FlowRun;
    fn now(&self) -> Timestamp {
        self.now
    }
    fn initial(&self) -> Option<&State> {
        self.state.as_ref()
    }
    fn run(&self) -> &Self::Run {
        &self.run
    }
}

impl Subject for TaskRunFacts {
    type Run = super::TaskRun;
    fn now(&self) -> Timestamp {
        self.now
    }
    fn initial(&self) -> Option<&State> {
        self.state.as_ref()
    }
    fn run(&self) -> &Self::Run {
        &self.run
    }
}

/// A change under way: what rules have made of it so far.
pub(super) struct Transition<'f, S: Subject> {
    pub(super) facts: &'f S,
    /// The state to write; `None` once a rule has settled that nothing is written.
    pub(super) proposed: Option<State>,
    pub(super) run: S::Run,
    pub(super) status: Status,
    pub(super) effects: Vec<Effect>,
    reason: Option<String>,
    delay_seconds: Option<i64>,
    /// The rule that speaks, and the one that settled the answer.
    speaking: &'static str,
    settled_by: Option<&'static str>,
    /// Of what was proposed; serves for any state put in its place, since only one of them is written.
    id: StateId,
}

impl<'f, S: Subject> Transition<'f, S> {
    /// The state before the change. Outlives the borrow of the transition, so that a rule can read it while it writes.
    pub(super) fn initial(&self) -> Option<&'f State> {
        self.facts.initial()
    }

    /// Both ends of the change, if there are two.
    pub(super) fn ends(&mut self) -> Option<(&'f State, &mut State)> {
        Some((self.facts.initial()?, self.proposed.as_mut()?))
    }

    pub(super) fn proposed_kind(&self) -> Option<StateType> {
        self.proposed.as_ref().map(|state| state.kind)
    }

    /// A state to put in the proposed one's place: due now if it is SCHEDULED.
    pub(super) fn replacement(&self, kind: StateType) -> State {
        let now = self.facts.now();
        State {
            id: self.id,
            kind,
            name: kind.default_name().to_owned(),
            timestamp: now,
            message: None,
            data: None,
            state_details: StateDetails {
                scheduled_time: (kind == StateType::Scheduled).then(|| now.into()),
                ..StateDetails::default()
            },
        }
    }

    /// Refuses the change; the run keeps its state.
    pub(super) fn reject(&mut self, reason: impl Into<String>) {
        self.settle(Status::Reject, reason.into(), None);
    }

    /// Refuses the change; the run goes to another state instead.
    pub(super) fn replace(&mut self, state: State, reason: impl Into<String>) {
        self.settle(Status::Reject, reason.into(), Some(state));
    }

    /// Nothing happens, and the client should give up.
    pub(super) fn abort(&mut self, reason: impl Into<String>) {
        self.settle(Status::Abort, reason.into(), None);
    }

    /// Nothing happens yet; the client asks again after whole seconds.
    pub(super) fn wait(&mut self, seconds: i64, reason: impl Into<String>) {
        self.settle(Status::Wait, reason.into(), None);
        self.delay_seconds = Some(seconds);
    }

    fn settle(&mut self, status: Status, reason: String, state: Option<State>) {
        self.settled_by = Some(self.speaking);
        self.status = status;
        self.reason = Some(reason);
        self.delay_seconds = None;
        self.proposed = state;
    }
}

/// A set of state types, and "no state" beside them.
#[derive(Clone, Copy)]
pub(super) struct Kinds(u16);

const NO_STATE: u16 = 1 << 15;

impl Kinds {
    pub(super) const ALL: Self = Self(u16::MAX);
    pub(super) const TERMINAL: Self =
        Self::of(&[StateType::Completed, StateType::Failed, StateType::Cancelled, StateType::Crashed]);

    pub(super) const fn of(kinds: &[StateType]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < kinds.len() {
            bits |= 1 << kinds[index] as u16;
            index += 1;
        }
        Self(bits)
    }

    pub(super) const fn all_but(kinds: &[StateType]) -> Self {
        Self(!Self::of(kinds).0)
    }

    const fn has(self, kind: Option<StateType>) -> bool {
        let bit = match kind {
            Some(kind) => 1 << kind as u16,
            None => NO_STATE,
        };
        self.0 & bit != 0
    }
}

type Step<S> = fn(&mut Transition<'_, S>);

/// One rule or transform of a policy.
pub(super) struct Rule<S: Subject> {
    name: &'static str,
    from: Kinds,
    to: Kinds,
    /// Transforms run on every change; rules only while the change is still the one they were made for.
    is_transform: bool,
    enter: Step<S>,
    leave: Step<S>,
    undo: Step<S>,
}

impl<S: Subject> Rule<S> {
    /// Governs the changes from `from` to `to`.
    pub(super) const fn governing(name: &'static str, from: Kinds, to: Kinds) -> Self {
        Self { name, from, to, is_transform: false, enter: |_| (), leave: |_| (), undo: |_| () }
    }

    /// Runs on every change; its steps look for themselves whether anything is written.
    pub(super) const fn transform(name: &'static str) -> Self {
        Self { is_transform: true, ..Self::governing(name, Kinds::ALL, Kinds::ALL) }
    }

    /// Before the state is settled.
    pub(super) const fn enter(mut self, step: Step<S>) -> Self {
        self.enter = step;
        self
    }

    /// After it is settled, if the change is still what this rule left it as.
    pub(super) const fn leave(mut self, step: Step<S>) -> Self {
        self.leave = step;
        self
    }

    /// After it is settled, if a later rule made another change of it.
    pub(super) const fn undo(mut self, step: Step<S>) -> Self {
        self.undo = step;
        self
    }
}

/// Runs a policy's rules, then the transforms that every change gets.
pub(super) fn decide<S: Subject>(
    proposed: State,
    facts: &S,
    rules: &'static [Rule<S>],
    transforms: &'static [Rule<S>],
) -> Ruling<S::Run> {
    let from = facts.initial().map(|state| state.kind);
    let intended = Some(proposed.kind);
    let mut transition = Transition {
        facts,
        run: facts.run().clone(),
        status: Status::Accept,
        effects: Vec::new(),
        reason: None,
        delay_seconds: None,
        speaking: "",
        settled_by: None,
        id: proposed.id,
        proposed: Some(proposed),
    };
    // Each entered rule with the type it left the change at.
    let mut entered = Vec::with_capacity(rules.len() + transforms.len());
    for rule in rules.iter().chain(transforms) {
        if !rule.from.has(from) || !rule.to.has(intended) {
            continue;
        }
        if rule.is_transform || transition.proposed_kind() == intended {
            transition.speaking = rule.name;
            (rule.enter)(&mut transition);
            entered.push((rule, transition.proposed_kind()));
        }
    }
    for (rule, settled) in entered.into_iter().rev() {
        if rule.is_transform {
            (rule.leave)(&mut transition);
        } else if !rule.to.has(settled) {
            // The rule itself led the change away from what it governs: it has nothing more to say.
        } else if transition.proposed_kind() == settled {
            (rule.leave)(&mut transition);
        } else {
            (rule.undo)(&mut transition);
        }
    }
    Ruling {
        status: transition.status,
        reason: transition.reason,
        delay_seconds: transition.delay_seconds,
        settled_by: transition.settled_by,
        // Where nothing is written, nothing of the run changes, whatever a rule had prepared.
        run: if transition.proposed.is_some() { transition.run } else { facts.run().clone() },
        state: transition.proposed,
        effects: transition.effects,
    }
}
