//! Settings of the server's background services, of events and logs, and of concurrency.

use super::Fallback::Is;

super::settings! {
    /// Create runs from schedules.
    SCHEDULER_ENABLED = Flag "server.services.scheduler.enabled" Is("true"), Server Both
        also "PREFECT_API_SERVICES_SCHEDULER_ENABLED";
    /// Longest pause between two looks at the schedules.
    SCHEDULER_LOOP_SECONDS = Seconds "server.services.scheduler.loop_seconds" Is("60"), Server Both
        also "PREFECT_API_SERVICES_SCHEDULER_LOOP_SECONDS";
    /// Most runs that a schedule has ahead.
    SCHEDULER_MAX_RUNS = Integer "server.services.scheduler.max_runs" Is("100"), Server Both
        also "PREFECT_API_SERVICES_SCHEDULER_MAX_RUNS";
    /// Fewest runs that a schedule has ahead.
    SCHEDULER_MIN_RUNS = Integer "server.services.scheduler.min_runs" Is("3"), Server Both
        also "PREFECT_API_SERVICES_SCHEDULER_MIN_RUNS";
    /// No run is created further ahead than this.
    SCHEDULER_MAX_SCHEDULED_TIME = Seconds "server.services.scheduler.max_scheduled_time" Is("8640000"), Server Both
        also "PREFECT_API_SERVICES_SCHEDULER_MAX_SCHEDULED_TIME";
    /// Runs are created at least this far ahead.
    SCHEDULER_MIN_SCHEDULED_TIME = Seconds "server.services.scheduler.min_scheduled_time" Is("3600"), Server Both
        also "PREFECT_API_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME";
    /// Longest pause before a changed deployment is scheduled anew.
    SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS = Seconds "server.services.scheduler.recent_deployments_loop_seconds"
        Is("5"), Server Both;
    /// Evaluate triggers of automations, and do what they say.
    TRIGGERS_ENABLED = Flag "server.services.triggers.enabled" Is("true"), Server Both
        also "PREFECT_API_SERVICES_TRIGGERS_ENABLED";
    /// Mark runs that should have started.
    LATE_RUNS_ENABLED = Flag "server.services.late_runs.enabled" Is("true"), Server Both
        also "PREFECT_API_SERVICES_LATE_RUNS_ENABLED";
    /// Pause between two looks for late runs.
    LATE_RUNS_LOOP_SECONDS = Seconds "server.services.late_runs.loop_seconds" Is("5"), Server Both
        also "PREFECT_API_SERVICES_LATE_RUNS_LOOP_SECONDS";
    /// A run is late this long after its time.
    LATE_RUNS_AFTER_SECONDS = Seconds "server.services.late_runs.after_seconds" Is("15"), Server Both
        also "PREFECT_API_SERVICES_LATE_RUNS_AFTER_SECONDS";
    /// Fail paused runs whose time to resume is over.
    PAUSE_EXPIRATIONS_ENABLED = Flag "server.services.pause_expirations.enabled" Is("true"), Server Both
        also "PREFECT_API_SERVICES_PAUSE_EXPIRATIONS_ENABLED";
    /// Pause between two looks for expired pauses.
    PAUSE_EXPIRATIONS_LOOP_SECONDS = Seconds "server.services.pause_expirations.loop_seconds" Is("5"), Server Both
        also "PREFECT_API_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS";
    /// Cancel what a cancelled run has left behind.
    CANCELLATION_CLEANUP_ENABLED = Flag "server.services.cancellation_cleanup.enabled" Is("true"), Server Both
        also "PREFECT_API_SERVICES_CANCELLATION_CLEANUP_ENABLED";
    /// Pause between two looks for left-overs of cancelled runs.
    CANCELLATION_CLEANUP_LOOP_SECONDS = Seconds "server.services.cancellation_cleanup.loop_seconds" Is("20"), Server
        Both also "PREFECT_API_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS";
    /// How long a run may stay in CANCELLING.
    CANCELLATION_CLEANUP_CANCELLING_TIMEOUT_SECONDS = Seconds
        "server.services.cancellation_cleanup.cancelling_timeout_seconds" Is("300"), Server Both;
    /// Keep the status of workers, pools, queues and deployments.
    FOREMAN_ENABLED = Flag "server.services.foreman.enabled" Is("true"), Server Both
        also "PREFECT_API_SERVICES_FOREMAN_ENABLED";
    /// Pause between two looks at workers.
    FOREMAN_LOOP_SECONDS = Seconds "server.services.foreman.loop_seconds" Is("15"), Server Both
        also "PREFECT_API_SERVICES_FOREMAN_LOOP_SECONDS";
    /// Heartbeats that a worker may miss before it is offline.
    FOREMAN_INACTIVITY_HEARTBEAT_MULTIPLE = Integer "server.services.foreman.inactivity_heartbeat_multiple" Is("3"),
        Server Both also "PREFECT_API_SERVICES_FOREMAN_INACTIVITY_HEARTBEAT_MULTIPLE";
    /// Heartbeat interval of workers that do not tell theirs.
    FOREMAN_FALLBACK_HEARTBEAT_INTERVAL_SECONDS = Seconds
        "server.services.foreman.fallback_heartbeat_interval_seconds" Is("30"), Server Both
        also "PREFECT_API_SERVICES_FOREMAN_FALLBACK_HEARTBEAT_INTERVAL_SECONDS";
    /// A deployment that nobody has polled for this long is not ready.
    FOREMAN_DEPLOYMENT_LAST_POLLED_TIMEOUT_SECONDS = Seconds
        "server.services.foreman.deployment_last_polled_timeout_seconds" Is("60"), Server Both
        also "PREFECT_API_SERVICES_FOREMAN_DEPLOYMENT_LAST_POLLED_TIMEOUT_SECONDS";
    /// A work queue that nobody has polled for this long is not ready.
    FOREMAN_WORK_QUEUE_LAST_POLLED_TIMEOUT_SECONDS = Seconds
        "server.services.foreman.work_queue_last_polled_timeout_seconds" Is("60"), Server Both
        also "PREFECT_API_SERVICES_FOREMAN_WORK_QUEUE_LAST_POLLED_TIMEOUT_SECONDS";
    /// Take back what expired leases hold: concurrency slots and runs.
    REPOSSESSOR_ENABLED = Flag "server.services.repossessor.enabled" Is("true"), Server Both;
    /// Longest pause between two looks for expired leases.
    REPOSSESSOR_LOOP_SECONDS = Seconds "server.services.repossessor.loop_seconds" Is("2"), Server Both;
    /// What is deleted when it is old: `events` (with logs), `flow_runs` (with all they hold); `true` is both, `false`
    /// is events only.
    DB_VACUUM_ENABLED = List "server.services.db_vacuum.enabled" Is("events,flow_runs"), Server Both;
    /// Pause between two rounds of deletion.
    DB_VACUUM_LOOP_SECONDS = Seconds "server.services.db_vacuum.loop_seconds" Is("3600"), Server Both;
    /// Age at which finished runs are deleted.
    DB_VACUUM_RETENTION_PERIOD = Seconds "server.services.db_vacuum.retention_period" Is("7776000"), Server Both;
    /// Age at which events are deleted.
    EVENTS_RETENTION_PERIOD = Seconds "server.events.retention_period" Is("604800"), Server Both
        also "PREFECT_EVENTS_RETENTION_PERIOD";
    /// Age at which logs are deleted.
    LOGS_RETENTION_PERIOD = Seconds "server.logs.retention_period" Is("2592000"), Server Own;
    /// Send logs to subscribers.
    LOGS_STREAM_OUT_ENABLED = Flag "server.logs.stream_out_enabled" Is("true"), Server Both;
    /// Send events to subscribers.
    EVENTS_STREAM_OUT_ENABLED = Flag "server.events.stream_out_enabled" Is("true"), Server Both
        also "PREFECT_API_EVENTS_STREAM_OUT_ENABLED";
    /// Most labels of a resource.
    EVENTS_MAXIMUM_LABELS_PER_RESOURCE = Integer "server.events.maximum_labels_per_resource" Is("500"), Server Both
        also "PREFECT_EVENTS_MAXIMUM_LABELS_PER_RESOURCE";
    /// Most related resources of an event.
    EVENTS_MAXIMUM_RELATED_RESOURCES = Integer "server.events.maximum_related_resources" Is("100"), Server Both
        also "PREFECT_EVENTS_MAXIMUM_RELATED_RESOURCES";
    /// Most bytes of an event as JSON.
    EVENTS_MAXIMUM_SIZE_BYTES = Integer "server.events.maximum_size_bytes" Is("1500000"), Server Both
        also "PREFECT_EVENTS_MAXIMUM_SIZE_BYTES";
    /// Most characters in the name of an event.
    EVENTS_MAXIMUM_EVENT_NAME_LENGTH = Integer "server.events.maximum_event_name_length" Is("1024"), Server Both;
    /// How far back a new subscriber may look.
    EVENTS_MAXIMUM_WEBSOCKET_BACKFILL = Seconds "server.events.maximum_websocket_backfill" Is("900"), Server Both
        also "PREFECT_EVENTS_MAXIMUM_WEBSOCKET_BACKFILL";
    /// Past events sent in one go to a new subscriber.
    EVENTS_WEBSOCKET_BACKFILL_PAGE_SIZE = Integer "server.events.websocket_backfill_page_size" Is("250"), Server Both
        also "PREFECT_EVENTS_WEBSOCKET_BACKFILL_PAGE_SIZE";
    /// How long an acquired deployment slot is held before the run's first renewal.
    CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION = Seconds "server.concurrency.initial_deployment_lease_duration"
        Is("300"), Server Both;
    /// Longest pause that a client is told to make before it asks for a slot again.
    CONCURRENCY_MAXIMUM_CONCURRENCY_SLOT_WAIT_SECONDS = Seconds
        "server.concurrency.maximum_concurrency_slot_wait_seconds" Is("30"), Server Both;
    /// Pause before a run asks again for a slot of its deployment.
    DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS = Seconds "server.deployments.concurrency_slot_wait_seconds" Is("30"),
        Server Both also "PREFECT_DEPLOYMENT_CONCURRENCY_SLOT_WAIT_SECONDS";
    /// Pause before a task run asks again for a slot of its tags.
    TASKS_TAG_CONCURRENCY_SLOT_WAIT_SECONDS = Seconds "server.tasks.tag_concurrency_slot_wait_seconds" Is("10"),
        Server Both also "PREFECT_TASK_RUN_TAG_CONCURRENCY_SLOT_WAIT_SECONDS";
    /// Most characters in a cache key.
    TASKS_MAX_CACHE_KEY_LENGTH = Integer "server.tasks.max_cache_key_length" Is("2000"), Server Both
        also "PREFECT_API_TASK_CACHE_KEY_MAX_LENGTH";
}
