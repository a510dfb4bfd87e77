//! Variables.

use serde_json::json;
use tidegate_api::{
    Patch,
    filters::{TagsFilter, TextFilter, VariableFilter},
    variables::{Variable, VariableCreate, VariableSort, VariableUpdate},
};
use tidegate_core::json::Json;
use tidegate_store::{Tx, VariableKey};

use crate::databases::Database;

async fn create(database: &Database, name: &str, value: serde_json::Value, tags: &[&str]) -> Option<Variable> {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    let create = VariableCreate { name: name.into(), value: Some(Json::from(value)), tags };
    database.write(async move |tx: &mut Tx| tx.create_variable(&create).await).await
}

pub async fn hold_any_value_under_one_name(database: &Database) {
    for (name, value) in [("text", json!("a")), ("null", json!(null)), ("object", json!({"k": [1, 1.5, true]}))] {
        create(database, name, value.clone(), &[]).await.unwrap();
        let key = VariableKey::Name(name.into());
        let found = database.write(async move |tx: &mut Tx| tx.read_variable(&key).await).await.unwrap();
        assert_eq!(found.value.map_or(json!(null), |value| value.value()), value);
    }
    assert!(create(database, "text", json!(1), &[]).await.is_none());
}

pub async fn are_changed_and_deleted_by_id_or_name(database: &Database) {
    let variable = create(database, "a", json!(1), &["t"]).await.unwrap();
    let update = VariableUpdate { name: Patch::Set("b".into()), value: Patch::Clear, ..VariableUpdate::default() };
    let key = VariableKey::Id(variable.id);
    assert!(database.write(async move |tx: &mut Tx| tx.update_variable(&key, update.clone()).await).await);
    let key = VariableKey::Name("b".into());
    let found = database.write(async move |tx: &mut Tx| tx.read_variable(&key).await).await.unwrap();
    assert_eq!((found.id, found.tags), (variable.id, vec!["t".to_owned()]));
    assert!(found.value.is_none_or(|value| value.is_null()));
    for known in [true, false] {
        let key = VariableKey::Name("b".into());
        assert_eq!(database.write(async move |tx: &mut Tx| tx.delete_variable(&key).await).await, known);
    }
    let events = ["prefect.variable.created", "prefect.variable.updated", "prefect.variable.deleted"];
    assert_eq!(database.events().await, events);
}

pub async fn are_found_by_name_and_tags(database: &Database) {
    create(database, "one", json!(1), &["x"]).await.unwrap();
    create(database, "two", json!(2), &["x", "y"]).await.unwrap();
    let name = TextFilter { like_: Some("O".into()), ..TextFilter::default() };
    let tags = TagsFilter { all_: Some(vec!["x".into(), "y".into()]), ..TagsFilter::default() };
    for (filter, names) in [
        (VariableFilter { name: Some(name), ..VariableFilter::default() }, vec!["one", "two"]),
        (VariableFilter { tags: Some(tags), ..VariableFilter::default() }, vec!["two"]),
    ] {
        let counted = filter.clone();
        let list = async move |tx: &mut Tx| tx.list_variables(Some(&filter), VariableSort::NameAsc, 10, 0).await;
        let found: Vec<String> = database.write(list).await.into_iter().map(|variable| variable.name).collect();
        assert_eq!(found, names);
        let count = database.write(async move |tx: &mut Tx| tx.count_variables(Some(&counted)).await).await;
        assert_eq!(count, names.len() as i64);
    }
}

/// PostgreSQL keeps no NUL: it is left out of what is written and of what is asked for, so that both still meet.
pub async fn with_nul_in_them_are_found_again(database: &Database) {
    let created = create(database, "a\0b", json!("x\0y"), &["t\0"]).await.unwrap();
    let key = VariableKey::Name("a\0b".into());
    let found = database.write(async move |tx: &mut Tx| tx.read_variable(&key).await).await.unwrap();
    assert_eq!(found.id, created.id);
    let filter = VariableFilter {
        name: Some(TextFilter { any_: Some(vec!["a\0b".into()]), ..TextFilter::default() }),
        tags: Some(TagsFilter { all_: Some(vec!["t\0".into()]), ..TagsFilter::default() }),
        ..VariableFilter::default()
    };
    let count = database.write(async move |tx: &mut Tx| tx.count_variables(Some(&filter)).await).await;
    assert_eq!(count, 1);
}
