//! What a Kubernetes worker can be told.

use std::time::Duration;

/// A Secret that exists, and the key in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKey {
    pub name: String,
    pub key: String,
}

/// Settings of the Kubernetes backend; the names in brackets are those of the reference's integration
/// (`PREFECT_INTEGRATIONS_KUBERNETES_…`).
#[derive(Clone, Debug)]
pub struct Options {
    /// What tells the cluster from others, where the worker may not read it (`CLUSTER_UID`).
    pub cluster_uid: Option<String>,
    /// The Secret that holds the API key in the namespaces of the Jobs (`WORKER_API_KEY_SECRET_{NAME,KEY}`).
    pub api_key: Option<SecretKey>,
    /// The same for the auth string (`WORKER_API_AUTH_STRING_SECRET_{NAME,KEY}`).
    pub auth_string: Option<SecretKey>,
    /// Hide all of a Job's variables in its Secret, not the credentials alone (`WORKER_STORE_ENV_AS_SECRET`).
    pub all_in_secret: bool,
    /// How often a Job is asked for while the API is out of order; without it as long as `patience`
    /// (`WORKER_CREATE_JOB_RETRY_MAX_RETRIES`).
    pub tries: Option<u32>,
    /// How long an API that is out of order is borne with.
    pub patience: Duration,
    /// The namespaces to look for runs in; empty: those of the pool (`OBSERVER_NAMESPACES`).
    pub namespaces: Vec<String>,
    /// Look for runs in all namespaces.
    pub all_namespaces: bool,
    /// Labels that pods must have to be told of as events, `k=v,k=v` (`OBSERVER_ADDITIONAL_LABEL_FILTERS`).
    pub label_filters: String,
    /// Tell of pods as events (`OBSERVER_REPLICATE_POD_EVENTS`).
    pub pod_events: bool,
    /// Bring the last output of a run that crashed into its log (`OBSERVER_FORWARD_CRASHED_RUN_LOGS`).
    pub crash_logs: bool,
    /// How much of it (`OBSERVER_FORWARD_CRASHED_RUN_LOGS_TAIL_LINES`).
    pub crash_log_lines: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cluster_uid: None,
            api_key: None,
            auth_string: None,
            all_in_secret: false,
            tries: None,
            patience: Duration::from_mins(5),
            namespaces: Vec::new(),
            all_namespaces: false,
            label_filters: String::new(),
            pod_events: true,
            crash_logs: true,
            crash_log_lines: 500,
        }
    }
}
