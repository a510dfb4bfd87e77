//! Making a run's Job: its Secret first, then the Job, which may be there already because this is not the first try. What is
//! out of order for a moment is borne with; what is refused is told at once, and what to do about it.

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::warn;

use super::{
    cluster::{Cluster, Patience, Refusal},
    identity::{Identity, cluster_of},
    seal::{self, Sealed},
};
use crate::infrastructure::{Attempt, Failure, FailureClass, Level, News};

pub(crate) fn jobs_path(namespace: &str) -> String {
    format!("/apis/batch/v1/namespaces/{namespace}/jobs")
}

pub(crate) fn job_path(namespace: &str, name: &str) -> String {
    format!("{}/{name}", jobs_path(namespace))
}

/// The Secret of a Job's own.
pub(crate) fn secret_path(namespace: &str, job: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets/{job}-env")
}

/// Makes the Job, or finds the one that an earlier try has made.
pub(crate) async fn start(
    cluster: &Cluster,
    identity: &Identity,
    patience: Patience,
    attempt: &Attempt,
    sealed: &Sealed,
    news: &mpsc::Sender<News>,
) -> Result<Value, Failure> {
    let Sealed { name, namespace, job, secret } = sealed;
    if let (Some(_), Some(earlier)) = (secret, sealed.job_before(attempt)) {
        // A worker that died after it had made a Secret, and before it made the Job that would own it, has left it there.
        let _ = cluster.delete(&secret_path(namespace, &earlier), &Value::Null).await;
    }
    let told = &|refusal: &Refusal| {
        let message = format!("The Kubernetes API does not take the run's Job yet: {refusal}");
        let _ = news.try_send(News::Note { level: Level::Warning, message });
    };
    if let Some(secret) = secret {
        let made = Cluster::persist(patience, || async move {
            let path = format!("/api/v1/namespaces/{namespace}/secrets");
            match cluster.create(&path, secret).await {
                Err(refusal) if refusal.is(409) => cluster.merge(&secret_path(namespace, name), secret).await,
                answer => answer,
            }
            .inspect_err(told)
        });
        made.await.map_err(|refusal| failure(namespace, &refusal))?;
    }
    let made = Cluster::persist(patience, || async move {
        match cluster.create(&jobs_path(namespace), job).await {
            Err(refusal) if refusal.is(409) => cluster.get(&job_path(namespace, name)).await,
            answer => answer,
        }
        .inspect_err(told)
    });
    let made = match made.await {
        Ok(made) => made,
        Err(refusal) => {
            if secret.is_some() {
                let _ = cluster.delete(&secret_path(namespace, name), &Value::Null).await;
            }
            return Err(failure(namespace, &refusal));
        }
    };
    let is_ours = seal::attempt_of(&made)
        .is_some_and(|known| known.flow_run_id == attempt.flow_run_id && known.attempt == attempt.attempt);
    if !identity.owns(cluster_of(&made)) {
        let cluster = cluster_of(&made).unwrap_or_default();
        let message = format!(
            "There is a Job `{name}` in the namespace `{namespace}` that was made in another cluster ({cluster}) for this run."
        );
        let hint = "see that the worker reaches the right cluster; delete the Job if it is a copy from a backup";
        return Err(Failure::new(FailureClass::ConfigError, message).with_hint(hint));
    }
    if !is_ours {
        let message = format!("There is a Job `{name}` in the namespace `{namespace}` that is not this run's.");
        return Err(Failure::new(FailureClass::ConfigError, message).with_hint("delete it, or use another namespace"));
    }
    let message = format!("Kubernetes job '{name}' created in namespace '{namespace}'");
    let _ = news.try_send(News::Note { level: Level::Info, message });
    if secret.is_some() {
        own_secret(cluster, namespace, &made).await;
    }
    Ok(made)
}

/// Makes the Secret go when its Job goes.
async fn own_secret(cluster: &Cluster, namespace: &str, job: &Value) {
    let (name, uid) = (&job["metadata"]["name"], &job["metadata"]["uid"]);
    let owner = json!([{ "apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid, "controller": true }]);
    let path = secret_path(namespace, name.as_str().unwrap_or_default());
    if let Err(refusal) = cluster.merge(&path, &json!({ "metadata": { "ownerReferences": owner } })).await {
        warn!("the Secret of the Job {name} will not go with it: {refusal}");
    }
}

/// The reference's words for what the API refuses, with its hints.
fn failure(namespace: &str, refusal: &Refusal) -> Failure {
    let text = format!("{} {}", refusal.reason, refusal.message).to_lowercase();
    let hint = if text.contains("quota") || text.contains("exceeded") {
        Some("Check the resource quotas for the namespace and ensure the job does not exceed them.".to_owned())
    } else if refusal.is(403) || text.contains("forbidden") {
        Some("Check that your service account has the required RBAC permissions for this operation.".to_owned())
    } else if refusal.is(404) && refusal.message.contains(namespace) {
        Some(format!("Verify that the namespace '{namespace}' exists in the cluster."))
    } else {
        None
    };
    let class = match refusal.status {
        Some(400 | 403 | 404 | 409 | 422) => FailureClass::ConfigError,
        _ => FailureClass::StartFailed,
    };
    let message = format!("Unable to create Kubernetes job: {}: {}.", refusal.reason, refusal.message);
    Failure { hint, ..Failure::new(class, message.replace("..", ".")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_to_do() {
        let refusal = |status, reason: &str, message: &str| Refusal {
            status: Some(status),
            reason: reason.into(),
            message: message.into(),
            retry_after: None,
        };
        for (refusal, words) in [
            (refusal(403, "Forbidden", "jobs.batch is forbidden: exceeded quota: few"), "resource quotas"),
            (refusal(403, "Forbidden", "User cannot create resource"), "RBAC permissions"),
            (refusal(404, "NotFound", "namespaces \"nowhere\" not found"), "namespace 'nowhere' exists"),
            (refusal(422, "Invalid", "spec.backoffLimit: Invalid value"), "Unable to create Kubernetes job: Invalid"),
        ] {
            let failure = failure("nowhere", &refusal);
            assert!(failure.to_string().contains(words), "{failure}");
            assert_eq!(failure.class, FailureClass::ConfigError);
        }
    }
}
