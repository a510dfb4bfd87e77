//! Settings of Kubernetes workers, under the names of the reference's integration.

use super::Fallback::{Is, Unset};

super::settings! {
    /// What tells the cluster from others where the worker may not read the uid of kube-system.
    CLUSTER_UID = Text "integrations.kubernetes.cluster_uid" Unset, Worker Both
        also "PREFECT_KUBERNETES_CLUSTER_UID";
    /// Secret, in the namespaces of the Jobs, that holds the API key.
    API_KEY_SECRET_NAME = Text "integrations.kubernetes.worker.api_key_secret_name" Unset, Worker Both;
    /// Key of the API key in that Secret.
    API_KEY_SECRET_KEY = Text "integrations.kubernetes.worker.api_key_secret_key" Unset, Worker Both;
    /// Secret, in the namespaces of the Jobs, that holds the auth string.
    AUTH_STRING_SECRET_NAME = Text "integrations.kubernetes.worker.api_auth_string_secret_name" Unset, Worker Both;
    /// Key of the auth string in that Secret.
    AUTH_STRING_SECRET_KEY = Text "integrations.kubernetes.worker.api_auth_string_secret_key" Unset, Worker Both;
    /// Accepted: credentials are always in a Secret, one for each Job.
    CREATE_SECRET_FOR_API_KEY = Flag "integrations.kubernetes.worker.create_secret_for_api_key" Is("false"), Worker Both
        also "PREFECT_KUBERNETES_WORKER_STORE_PREFECT_API_IN_SECRET";
    /// Put all variables of a Job into its Secret, not its credentials alone.
    STORE_ENV_AS_SECRET = Flag "integrations.kubernetes.worker.store_env_as_secret" Is("false"), Worker Both;
    /// Accepted: connections to the API are kept alive in any case.
    ADD_TCP_KEEPALIVE = Flag "integrations.kubernetes.worker.add_tcp_keepalive" Is("true"), Worker Both
        also "PREFECT_KUBERNETES_WORKER_ADD_TCP_KEEPALIVE";
    /// How often a Job is asked for while the Kubernetes API is out of order; unset: for five minutes.
    CREATE_JOB_MAX_RETRIES = Integer "integrations.kubernetes.worker.create_job_retry_max_retries" Unset, Worker Both;
    /// Accepted: pauses grow from 0.3 to 10 seconds, or are as long as the Kubernetes API says.
    CREATE_JOB_DELAY_SECONDS = Seconds "integrations.kubernetes.worker.create_job_retry_delay_seconds" Unset, Worker Both;
    /// Accepted: pauses differ by half in any case.
    CREATE_JOB_JITTER_MIN = Seconds "integrations.kubernetes.worker.create_job_retry_jitter_min_seconds" Unset, Worker Both;
    /// Accepted: pauses differ by half in any case.
    CREATE_JOB_JITTER_MAX = Seconds "integrations.kubernetes.worker.create_job_retry_jitter_max_seconds" Unset, Worker Both;
    /// Accepted: runs are always watched, since their ends would not be known otherwise.
    OBSERVER_ENABLED = Flag "integrations.kubernetes.observer.enabled" Is("true"), Worker Both;
    /// Tell of pods as events.
    OBSERVER_POD_EVENTS = Flag "integrations.kubernetes.observer.replicate_pod_events" Is("true"), Worker Both;
    /// Namespaces to look for runs in; those of the pool if empty, all for `*`.
    OBSERVER_NAMESPACES = List "integrations.kubernetes.observer.namespaces" Unset, Worker Both;
    /// Labels that pods must have to be told of as events, as `name=value,name=value`.
    OBSERVER_LABEL_FILTERS = Text "integrations.kubernetes.observer.additional_label_filters" Unset, Worker Both;
    /// Accepted: ids make events that come twice count once.
    OBSERVER_EVENT_CONCURRENCY = Integer "integrations.kubernetes.observer.startup_event_concurrency" Unset, Worker Both;
    /// Bring the last output of a run that crashed into its log.
    OBSERVER_CRASH_LOGS = Flag "integrations.kubernetes.observer.forward_crashed_run_logs" Is("true"), Worker Both;
    /// How many lines of it.
    OBSERVER_CRASH_LOG_LINES = Integer "integrations.kubernetes.observer.forward_crashed_run_logs_tail_lines" Is("500"),
        Worker Both;
}
