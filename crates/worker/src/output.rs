//! What a run's process prints, brought into the run's log where the SDK could not do it: before the run has begun, and
//! after it died without a word. Lines that the SDK has sent itself are told apart and not repeated.

use std::collections::{HashSet, VecDeque};

use tidegate_api::{
    filters::{LogFilter, ReferenceFilter},
    logs::LogSort,
};
use tidegate_client::{Client, Page};
use tidegate_core::state::StateType;
use uuid::Uuid;

use crate::{
    infrastructure::{Line, Stream},
    logs::{Level, Logs},
};

/// Lines kept until it is clear whose they are.
const HELD: usize = 500;
/// The SDK's newest records to compare with.
const COMPARED: i64 = 200;

/// One run's output.
pub(crate) struct Output {
    /// What the records' logger is called.
    logger: String,
    flow_run_id: Uuid,
    client: Client,
    logs: Logs,
    /// Lines that have not been sent, and may never need to be.
    held: VecDeque<Line>,
    sent: HashSet<String>,
    /// The run has begun: from here on the SDK speaks for it.
    has_begun: bool,
}

impl Output {
    pub(crate) fn new(kind: &str, flow_run_id: Uuid, client: Client, logs: Logs) -> Self {
        let logger = format!("tidegate.worker.{kind}");
        Self { logger, flow_run_id, client, logs, held: VecDeque::new(), sent: HashSet::new(), has_begun: false }
    }

    pub(crate) fn push(&mut self, line: Line) {
        if !self.has_begun && origin(&line.text) != Origin::Chatter {
            self.held.push_back(line);
            if self.held.len() > HELD {
                self.held.pop_front();
            }
        }
    }

    /// Whether [`Output::send_early`] would have something to do.
    pub(crate) fn has_early_lines(&self) -> bool {
        !self.has_begun && self.held.front().is_some_and(|line| origin(&line.text) != Origin::Sdk)
    }

    /// Sends what was printed before the run began. Lines after one of the SDK's are kept back: they may belong to it.
    pub(crate) async fn send_early(&mut self) {
        if let Ok(Some(run)) = self.client.read_flow_run(self.flow_run_id).await
            && !matches!(run.state_type, Some(StateType::Pending | StateType::Scheduled) | None)
        {
            self.has_begun = true;
            self.held.clear();
            return;
        }
        let own = self.held.iter().take_while(|line| origin(&line.text) != Origin::Sdk).count();
        let lines: Vec<_> = self.held.drain(..own).collect();
        self.send(&lines, Level::Warning);
    }

    /// Sends the end of the output of a run that did not end as it should, without what its log has already.
    pub(crate) async fn send_last(&mut self, tail: &[Line]) {
        self.logs.flush().await;
        let filter = LogFilter {
            flow_run_id: Some(ReferenceFilter { any_: Some(vec![self.flow_run_id]), ..ReferenceFilter::default() }),
            ..LogFilter::default()
        };
        let records = self.client.list_logs(&filter, LogSort::TimestampDesc, Page::first(COMPARED)).await;
        let mut known = std::mem::take(&mut self.sent);
        known.extend(records.unwrap_or_default().iter().flat_map(|record| lines_of(&record.message)));
        let is_news = |line: &&Line| origin(&line.text) != Origin::Chatter && !is_known(&line.text, &known);
        let unknown: Vec<_> = tail.iter().filter(is_news).cloned().collect();
        self.send(&unknown, Level::Error);
    }

    /// One record per stretch of lines of one stream, so that a traceback stays in one piece.
    fn send(&mut self, lines: &[Line], level_of_errors: Level) {
        for stretch in lines.chunk_by(|one, next| one.stream == next.stream) {
            let level = match stretch[0].stream {
                Stream::Out => Level::Info,
                Stream::Err => level_of_errors,
            };
            let text = stretch.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n");
            if !text.trim().is_empty() {
                self.logs.write(self.flow_run_id, &self.logger, level, text);
            }
        }
        self.sent.extend(lines.iter().map(|line| line.text.trim().to_owned()));
    }
}

/// Who wrote a line of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A run's logger of the SDK, which also sends it to the API.
    Sdk,
    /// The SDK's word on its own inner life.
    Chatter,
    Other,
}

fn origin(line: &str) -> Origin {
    match console_line(line) {
        Some((_, logger, _)) if logger.starts_with("Flow run '") || logger.starts_with("Task run '") => Origin::Sdk,
        Some(("DEBUG" | "INFO", logger, _)) if logger.starts_with("prefect") => Origin::Chatter,
        _ => Origin::Other,
    }
}

/// Level, logger and message of a line of the SDK's console: `12:34:56.789 | INFO    | logger - message`.
fn console_line(line: &str) -> Option<(&str, &str, &str)> {
    let mut columns = line.splitn(3, " | ");
    let (time, level, rest) = (columns.next()?, columns.next()?.trim_end(), columns.next()?);
    let is_time = time.len() == 12 && time.bytes().all(|byte| byte.is_ascii_digit() || byte == b':' || byte == b'.');
    let is_level = !level.is_empty() && level.bytes().all(|byte| byte.is_ascii_uppercase());
    let (logger, message) = rest.split_once(" - ")?;
    (is_time && is_level).then_some((level, logger, message))
}

fn lines_of(message: &str) -> impl Iterator<Item = String> + '_ {
    message.lines().map(|line| line.trim().to_owned())
}

fn is_known(line: &str, known: &HashSet<String>) -> bool {
    let said = console_line(line).map_or(line, |(_, _, message)| message);
    line.trim().is_empty() || known.contains(line.trim()) || known.contains(said.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdks_own_lines_are_recognised() {
        for (line, expected) in [
            ("08:07:56.581 | INFO    | Flow run 'blue-fox' - Beginning flow run", Origin::Sdk),
            ("08:07:56.581 | ERROR   | Task run 'load-0' - it - failed", Origin::Sdk),
            ("08:07:56.581 | ERROR   | prefect.engine - Execution of flow run ended", Origin::Other),
            ("08:07:56.581 | DEBUG   | prefect.client - Connecting", Origin::Chatter),
            ("08:07:56.581 | INFO    | my.logger - mine", Origin::Other),
            ("Traceback (most recent call last):", Origin::Other),
            ("a | b | Flow run 'x' - y", Origin::Other),
            ("", Origin::Other),
        ] {
            assert_eq!(origin(line), expected, "{line}");
        }
    }

    #[test]
    fn lines_that_the_log_has_are_not_repeated() {
        let known: HashSet<_> =
            lines_of("It failed\nTraceback (most recent call last):\n  File \"a.py\", line 1").collect();
        for (line, expected) in [
            ("08:07:56.581 | ERROR   | Flow run 'x' - It failed", true),
            ("Traceback (most recent call last):", true),
            ("  File \"a.py\", line 1", true),
            ("   ", true),
            ("Segmentation fault", false),
            ("08:07:56.581 | ERROR   | prefect.engine - Something else", false),
        ] {
            assert_eq!(is_known(line, &known), expected, "{line}");
        }
    }
}
