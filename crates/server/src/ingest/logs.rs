//! Log records out of request bodies. The quick way reads what clients really send; whatever it does not understand goes
//! through the contract's check, which finds the words for a refusal or coerces the values.

use std::borrow::Cow;

use serde::Deserialize;
use tidegate_api::{contract::Operation, logs::LogCreate};
use tidegate_core::time::Timestamp;
use tidegate_store::{LogRecord, nul};
use uuid::Uuid;

use crate::{
    error::ApiError,
    extract::{check, from_value},
};

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    level: i64,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(default)]
    flow_run_id: Option<Uuid>,
    #[serde(default)]
    task_run_id: Option<Uuid>,
}

/// The records of a body.
pub fn read(
    operation: Option<&'static Operation>,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Vec<LogRecord>, ApiError> {
    if content_type.is_none_or(|kind| kind.starts_with("application/json"))
        && let Some(records) = read_quickly(body)
    {
        return Ok(records);
    }
    let Some(operation) = operation else { return Ok(Vec::new()) };
    let lines: Vec<LogCreate> = from_value(check(operation, content_type, body)?)?;
    Ok(lines
        .into_iter()
        .map(|line| LogRecord {
            id: Uuid::now_v7(),
            timestamp: line.timestamp,
            name: nul::left_out(line.name.as_ref()).into_owned(),
            level: line.level,
            message: nul::left_out(line.message.as_ref()).into_owned(),
            flow_run_id: line.flow_run_id,
            task_run_id: line.task_run_id,
        })
        .collect())
}

fn read_quickly(body: &[u8]) -> Option<Vec<LogRecord>> {
    let lines: Vec<Line<'_>> = serde_json::from_slice(body).ok()?;
    lines
        .into_iter()
        .map(|line| {
            Some(LogRecord {
                id: Uuid::now_v7(),
                timestamp: quick_time(&line.timestamp)?,
                name: nul::left_out(&line.name).into_owned(),
                level: line.level,
                message: nul::left_out(&line.message).into_owned(),
                flow_run_id: line.flow_run_id,
                task_run_id: line.task_run_id,
            })
        })
        .collect()
}

/// Full timestamps only; other forms are the contract's to judge.
pub(super) fn quick_time(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    (bytes.len() >= 20 && bytes[4] == b'-' && bytes[10] == b'T').then(|| Timestamp::parse(text)).flatten()
}
