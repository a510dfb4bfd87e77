//! Artifacts and the latest of each key.

use serde_json::json;
use tidegate_api::{
    Patch,
    artifacts::{Artifact, ArtifactCollection, ArtifactCreate, ArtifactSort, ArtifactUpdate},
    filters::{ArtifactFilter, FlowRunFilter, IdFilter, RunFilters},
};
use tidegate_core::json::Json;
use tidegate_store::Tx;
use uuid::Uuid;

use crate::databases::Database;

async fn create(database: &Database, data: &str, flow_run_id: Option<Uuid>) -> Artifact {
    let data = Some(Json::from(json!(data)));
    let create = ArtifactCreate { key: Some("key".into()), data, flow_run_id, ..ArtifactCreate::default() };
    database.clock.advance(1);
    database.write(async move |tx: &mut Tx| tx.create_artifact(&create).await).await
}

async fn latest(database: &Database) -> Option<ArtifactCollection> {
    database.write(async |tx: &mut Tx| tx.read_artifact_collection("key").await).await
}

pub async fn the_latest_of_a_key_moves_with_it(database: &Database) {
    let first = create(database, "one", None).await;
    let second = create(database, "two", None).await;
    assert_eq!(latest(database).await.unwrap().latest_id, second.id);
    for (gone, left) in [(second.id, Some(first.id)), (first.id, None)] {
        assert!(database.write(async move |tx: &mut Tx| tx.delete_artifact(gone).await).await);
        assert_eq!(latest(database).await.map(|latest| latest.latest_id), left);
    }
    let kind = "prefect.artifact-collection";
    let expected = ["created", "updated", "updated", "deleted"].map(|what| format!("{kind}.{what}"));
    assert_eq!(database.events().await, expected);
}

pub async fn a_change_reaches_the_latest(database: &Database) {
    let artifact = create(database, "one", None).await;
    let update = ArtifactUpdate { description: Patch::Set("new".into()), ..ArtifactUpdate::default() };
    assert!(database.write(async move |tx: &mut Tx| tx.update_artifact(artifact.id, &update).await).await);
    let latest = latest(database).await.unwrap();
    assert_eq!(latest.description.as_deref(), Some("new"));
    assert_eq!(latest.data.unwrap().text(), "\"one\"");
    let nobody = database.write(async |tx: &mut Tx| tx.update_artifact(Uuid::nil(), &ArtifactUpdate::default()).await);
    assert!(!nobody.await);
}

pub async fn are_found_by_their_run(database: &Database) {
    let run = Uuid::now_v7();
    create(database, "of run", Some(run)).await;
    create(database, "of none", None).await;
    let ids = IdFilter { any_: Some(vec![run]), ..IdFilter::default() };
    let filter = ArtifactFilter { flow_run_id: Some(ids.clone()), ..ArtifactFilter::default() };
    let runs = RunFilters::default();
    let list = async move |tx: &mut Tx| tx.list_artifacts(Some(&filter), &runs, ArtifactSort::IdDesc, 10, 0).await;
    let found = database.write(list).await;
    assert_eq!(found.iter().map(|artifact| artifact.flow_run_id).collect::<Vec<_>>(), [Some(run)]);
    // A filter of runs looks at the run itself, and there is none of this id.
    let flow_runs = FlowRunFilter { id: Some(ids), ..FlowRunFilter::default() };
    let runs = RunFilters { flow_runs: Some(flow_runs), ..RunFilters::default() };
    assert_eq!(database.write(async move |tx: &mut Tx| tx.count_artifacts(None, &runs).await).await, 0);
}
