//! The scheduler with a second one beside it.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};
use tidegate_server::Settings;
use tidegate_testkit::eventually;

use crate::support::{TestServer, id_of, often};

const DEPLOYMENTS: usize = 12;

/// Looks often, and at every minute of the next hour: sixty dates for each schedule.
fn eager(settings: &mut Settings) {
    settings.services.scheduler = often();
}

/// The dates of each deployment's scheduled runs.
async fn dates(server: &TestServer) -> BTreeMap<String, Vec<String>> {
    // By id: runs that are made while we turn the pages push others to the next page, where they are seen again.
    let mut runs = BTreeMap::new();
    for offset in (0..).step_by(200) {
        let page = server.post("/flow_runs/filter", json!({ "sort": "ID_DESC", "limit": 200, "offset": offset })).await;
        let page = page.as_array().unwrap();
        for run in page {
            let text = |name: &str| run[name].as_str().unwrap().to_owned();
            runs.insert(text("id"), (text("deployment_id"), text("expected_start_time")));
        }
        if page.len() < 200 {
            break;
        }
    }
    let mut dates: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (deployment, date) in runs.into_values() {
        dates.entry(deployment).or_default().push(date);
    }
    dates
}

fn assert_once(dates: &BTreeMap<String, Vec<String>>) {
    for (deployment, dates) in dates {
        assert_eq!(dates.len(), dates.iter().collect::<HashSet<_>>().len(), "{deployment}: a date is there twice");
    }
}

#[tokio::test]
async fn two_schedulers_give_each_date_one_run() {
    let first = TestServer::on(tidegate_testkit::postgres().await, eager).await;
    let second = TestServer::beside(&first, eager).await;
    let flow = id_of(&first.post("/flows/", json!({ "name": "f" })).await);
    let deployment = |number: usize| -> Value {
        let schedule = json!({ "interval": 60, "anchor_date": "2020-01-01T00:00:00Z", "timezone": "UTC" });
        json!({ "name": format!("d{number}"), "flow_id": flow, "schedules": [{ "schedule": schedule, "active": true }] })
    };
    for number in 0..DEPLOYMENTS {
        // Half of them by the one server and half by the other, so that both are woken for all.
        let server = if number % 2 == 0 { &first } else { &second };
        server.post("/deployments/", deployment(number)).await;
    }
    let all = eventually("sixty runs of each", async || {
        let found = dates(&first).await;
        (found.len() == DEPLOYMENTS && found.values().all(|dates| dates.len() >= 60)).then_some(found)
    })
    .await;
    assert_once(&all);
    // An hour in steps: schedules are looked at again and again, by whoever comes first.
    for _ in 0..6 {
        first.clock.advance(600);
        first.pass_of("scheduler").await;
        second.pass_of("scheduler").await;
    }
    // The same deployments told again: their coming runs are taken back and given anew.
    for number in 0..DEPLOYMENTS {
        let server = if number % 2 == 0 { &second } else { &first };
        server.post("/deployments/", deployment(number)).await;
    }
    // What one server has in hand the other passes by: not every pass sees every schedule.
    let all = eventually("an hour's runs of each and those to come", async || {
        let found = dates(&second).await;
        found.values().all(|dates| dates.len() >= 115).then_some(found)
    })
    .await;
    first.pass_of("scheduler").await;
    second.pass_of("scheduler").await;
    assert_once(&all);
    assert_once(&dates(&first).await);
}
