//! Settings of workers.

use super::Fallback::{Is, Unset};

super::settings! {
    /// More output from workers only.
    DEBUG_MODE = Flag "worker.debug_mode" Is("false"), Worker Both;
    /// Pause between two heartbeats.
    HEARTBEAT_SECONDS = Seconds "worker.heartbeat_seconds" Is("30"), Worker Both;
    /// Pause between two polls of a server that cannot push.
    QUERY_SECONDS = Seconds "worker.query_seconds" Is("10"), Worker Both;
    /// How far ahead of its time a run is fetched.
    PREFETCH_SECONDS = Seconds "worker.prefetch_seconds" Is("10"), Worker Both;
    /// How many runs may be on their way to their process or Job at once; how many there are in all, `--limit` says.
    SUBMISSION_LIMIT = Integer "worker.submission_limit" Is("100"), Worker Own;
    /// Interpreter, or virtual environment, of runs that name none.
    PYTHON = Path "worker.python" Unset, Worker Own;
    /// Lease that the worker asks for on its runs; it renews at a third of it.
    LEASE_SECONDS = Seconds "worker.lease_seconds" Is("30"), Worker Own;
    /// Pause between SIGTERM and SIGKILL for a run that is cancelled.
    PROCESS_GRACE_SECONDS = Seconds "worker.process_grace_seconds" Is("30"), Worker Own;
    /// How long runs may go on after the worker was told to stop.
    DRAIN_SECONDS = Seconds "worker.drain_seconds" Is("60"), Worker Own;
    /// Address that the health check listens at, when it is asked for.
    WEBSERVER_HOST = Text "worker.webserver.host" Is("0.0.0.0"), Worker Both;
    /// Port of the health check.
    WEBSERVER_PORT = Integer "worker.webserver.port" Is("8080"), Worker Both;
    /// Work pool of new deployments that name none.
    DEFAULT_WORK_POOL_NAME = Text "deployments.default_work_pool_name" Unset, Worker Both
        also "PREFECT_DEFAULT_WORK_POOL_NAME";
}
