//! Names of the worker's metrics, with what they mean. Nothing else in this crate spells a metric's name.

/// Runs taken, by `source` (`claim` or `poll`).
pub const RUNS_TAKEN: &str = "tidegate_worker_runs_taken_total";
/// Runs whose infrastructure was started.
pub const RUNS_STARTED: &str = "tidegate_worker_runs_started_total";
/// Runs found alive at the worker's start.
pub const RUNS_ADOPTED: &str = "tidegate_worker_runs_adopted_total";
/// Runs whose infrastructure has ended, by `class` of failure (`none` if there was none).
pub const RUNS_ENDED: &str = "tidegate_worker_runs_ended_total";
/// Runs whose infrastructure exists now.
pub const RUNS_LIVE: &str = "tidegate_worker_runs_live";
/// Seconds from taking a run to its infrastructure's start.
pub const START_SECONDS: &str = "tidegate_worker_start_seconds";
/// Seconds that a run was due before it was taken.
pub const LATENESS_SECONDS: &str = "tidegate_worker_lateness_seconds";
/// Heartbeats, by `outcome` (`ok` or `error`).
pub const HEARTBEATS: &str = "tidegate_worker_heartbeats_total";
/// Runs that another owner has, found out at a renewal.
pub const LEASES_LOST: &str = "tidegate_worker_leases_lost_total";
/// Renewals that failed.
pub const RENEWAL_ERRORS: &str = "tidegate_worker_renewal_errors_total";
/// Verdicts that could not be given for now and are tried again.
pub const REPORT_ERRORS: &str = "tidegate_worker_report_errors_total";
/// Lines of output that nobody took in time and that the run's log therefore lacks.
pub const LINES_DROPPED: &str = "tidegate_worker_output_lines_dropped_total";
/// Events of the worker that the server did not take in time.
pub const EVENTS_DROPPED: &str = "tidegate_worker_events_dropped_total";

/// Tells the recorder what each metric means. Call it once, after the recorder is installed.
pub fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!(RUNS_TAKEN, "Runs taken from the server, by source.");
    describe_counter!(RUNS_STARTED, "Runs whose infrastructure was started.");
    describe_counter!(RUNS_ADOPTED, "Runs found alive when the worker started.");
    describe_counter!(RUNS_ENDED, "Runs whose infrastructure has ended, by class of failure.");
    describe_gauge!(RUNS_LIVE, "Runs whose infrastructure exists now.");
    describe_histogram!(START_SECONDS, "Seconds from taking a run to the start of its infrastructure.");
    describe_histogram!(LATENESS_SECONDS, "Seconds that a run was due before it was taken.");
    describe_counter!(HEARTBEATS, "Heartbeats sent, by outcome.");
    describe_counter!(LEASES_LOST, "Runs that turned out to belong to somebody else.");
    describe_counter!(RENEWAL_ERRORS, "Renewals of leases that failed.");
    describe_counter!(REPORT_ERRORS, "Reports on ended runs that have to be made again.");
    describe_counter!(LINES_DROPPED, "Lines of output that the run's log lacks.");
    describe_counter!(EVENTS_DROPPED, "Events of the worker that were not sent.");
}
