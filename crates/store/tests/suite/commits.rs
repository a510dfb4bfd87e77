//! Group commit: many writes share a commit, and none of them feels the others.

use uuid::Uuid;

use crate::databases::Database;
use futures::future::join_all;
use serde_json::json;
use tidegate_api::variables::VariableCreate;
use tidegate_core::{
    json::Json,
    orchestration::{FlowRunPolicyKind, Status},
    state::{StateCreate, StateDetails, StateType},
};
use tidegate_store::{Error, Tx, flow_run_states::Proposal, flow_runs::NewFlowRun, sql};

fn variable(name: String) -> VariableCreate {
    VariableCreate { name, value: Some(Json::from(json!(1))), tags: Vec::new() }
}

/// What goes wrong with a write, after it has written a row.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    None,
    ChangedItsMind,
    BrokeAConstraint,
    Panicked,
}

/// Writes at once, every second of them with the trouble given.
async fn write_forty(database: &Database, name: &'static str, trouble: Trouble) -> Vec<Result<usize, Error>> {
    let write = async |number: usize| {
        let outcome = database.store.write(number, async move |tx: &mut Tx| {
            tx.create_variable(&variable(format!("{name}{number:02}"))).await?;
            match trouble {
                Trouble::ChangedItsMind if number % 2 == 1 => return Err(Error::Setup("changed its mind".into())),
                Trouble::BrokeAConstraint if number % 2 == 1 => {
                    let twice = sql!("INSERT INTO variable SELECT * FROM variable WHERE name = $1", "taken");
                    tx.execute(&twice).await?;
                }
                Trouble::Panicked if number % 2 == 1 => panic!("a bug in an operation"),
                _ => {}
            }
            Ok(number)
        });
        outcome.await
    };
    join_all((0..40).map(write)).await
}

pub async fn one_that_fails_takes_nothing_from_its_neighbours(database: &Database) {
    database.write(async |tx: &mut Tx| tx.create_variable(&variable("taken".into())).await).await;
    for (name, trouble) in [
        ("mind", Trouble::ChangedItsMind),
        ("constraint", Trouble::BrokeAConstraint),
        ("panic", Trouble::Panicked),
        ("well", Trouble::None),
    ] {
        for (number, outcome) in write_forty(database, name, trouble).await.into_iter().enumerate() {
            match (trouble, outcome) {
                (_, Ok(written)) if trouble == Trouble::None || number % 2 == 0 => assert_eq!(written, number),
                (Trouble::ChangedItsMind, Err(Error::Setup(text))) => assert_eq!(text, "changed its mind"),
                (Trouble::BrokeAConstraint, Err(Error::Constraint(_))) => {}
                (Trouble::Panicked, Err(Error::Database(text))) => {
                    assert!(text.contains("nothing was written"), "{text}");
                }
                (_, other) => panic!("{name} {number}: {other:?}"),
            }
        }
        let sql = sql!("SELECT name FROM variable WHERE name LIKE $1 ORDER BY name", format!("{name}%"));
        let names: Vec<String> = database.write(async move |tx: &mut Tx| tx.all(&sql, |row| row.next()).await).await;
        let kept = (0..40).filter(|number| trouble == Trouble::None || number % 2 == 0);
        assert_eq!(names, kept.map(|number| format!("{name}{number:02}")).collect::<Vec<_>>());
    }
}

/// What a write that fails meant to tell others is not told.
pub async fn one_that_fails_wakes_nobody(database: &Database) {
    let mut wakes = database.store.wakes();
    let failed: Result<(), Error> = database
        .store
        .write("failed", async |tx: &mut Tx| {
            tx.wake(tidegate_store::Wake::Tasks);
            Err(Error::Setup("no".into()))
        })
        .await;
    assert!(failed.is_err());
    let wake = async |tx: &mut Tx| {
        tx.wake(tidegate_store::Wake::Slots);
        Ok(())
    };
    database.write(wake).await;
    let first = tidegate_testkit::within("a nudge", wakes.recv()).await.unwrap();
    assert_eq!(first, tidegate_store::Wake::Slots);
}

/// One change of a run, sent eight times at once by a client that got no answer: it counts once, and the others are told
/// what is so by then.
pub async fn a_lost_race_is_judged_by_what_is_so_now(database: &Database) {
    let run = database
        .write(async |tx: &mut Tx| {
            let flow = tidegate_api::flows::FlowCreate { name: "flow".into(), tags: Vec::new(), labels: None };
            let (flow, _) = tx.ensure_flow(&flow).await?;
            let new = NewFlowRun::of_flow(flow.id, "run".into());
            Ok(tx.create_flow_run(new, StateCreate::of(StateType::Pending)).await?.0.id)
        })
        .await;
    let details = StateDetails { transition_id: Some(Uuid::new_v4()), ..StateDetails::default() };
    let running = StateCreate { state_details: details, ..StateCreate::of(StateType::Running) };
    let propose = async |key: usize| {
        let proposed = running.clone();
        let change = async move |tx: &mut Tx| {
            let proposal = Proposal::internal().by(FlowRunPolicyKind::Core);
            tx.set_flow_run_state(run, proposed.clone(), &proposal).await
        };
        // Different keys, so that on PostgreSQL they go by different lanes.
        database.store.write(key, change).await.unwrap().unwrap().result
    };
    let results = join_all((0..8).map(propose)).await;
    let (accepted, others): (Vec<_>, Vec<_>) = results.into_iter().partition(|result| result.status == Status::Accept);
    assert_eq!(accepted.len(), 1, "{others:?}");
    let now = accepted[0].state.as_ref().unwrap();
    for other in others {
        assert_eq!((other.status, other.state.map(|state| state.id)), (Status::Reject, Some(now.id)));
    }
    let states = database.write(async move |tx: &mut Tx| tx.list_flow_run_states(run).await).await;
    assert_eq!(states.iter().map(|state| state.kind).collect::<Vec<_>>(), [StateType::Pending, StateType::Running]);
    let found = database.write(async move |tx: &mut Tx| tx.read_flow_run(run).await).await.unwrap();
    assert_eq!((found.state_id, found.run_count), (Some(now.id.0), 1));
}
