//! Which cluster this is. A Job carries the cluster that it was made in, so that a worker whose kubeconfig leads elsewhere, to
//! a copy restored from a backup or to another cluster behind the same address, touches nothing that is not its own.

use serde_json::{Value, json};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::cluster::{Cluster, Refusal};

/// The annotation that names the cluster of a Job.
const CLUSTER: &str = "tidegate.io/cluster";

/// One cluster's names for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The uid of kube-system, where it may be read.
    uid: Option<String>,
    /// What the worker was told.
    configured: Option<String>,
}

impl Identity {
    /// `Err`: the worker was told of another cluster than the one that it reaches.
    pub(crate) fn new(uid: Option<String>, configured: Option<String>) -> Result<Self, String> {
        // A name of one's own says nothing about the uid.
        let is_uid = configured.as_deref().is_some_and(|text| Uuid::parse_str(text).is_ok());
        match (&uid, &configured) {
            (Some(uid), Some(wanted)) if is_uid && uid != wanted => Err(format!(
                "this worker is for the cluster {wanted} (`integrations.kubernetes.cluster_uid`), and the Kubernetes API that it \
                 reaches is the cluster {uid}; correct its kubeconfig, or that setting"
            )),
            _ => Ok(Self { uid, configured }),
        }
    }

    /// What Jobs that are made here carry.
    pub(crate) fn name(&self) -> Option<&str> {
        self.uid.as_deref().or(self.configured.as_deref())
    }

    /// Whether a Job was made here, as far as that can be known.
    pub(crate) fn owns(&self, cluster: Option<&str>) -> bool {
        let names = [self.uid.as_deref(), self.configured.as_deref()];
        cluster.is_none() || names == [None, None] || names.contains(&cluster)
    }

    pub(crate) fn stamp(&self, job: &mut Value) {
        if let Some(name) = self.name() {
            job["metadata"]["annotations"][CLUSTER] = json!(name);
        }
    }
}

/// The cluster that a Job says it was made in.
pub(crate) fn cluster_of(job: &Value) -> Option<&str> {
    job["metadata"]["annotations"][CLUSTER].as_str()
}

/// An identity that is found out when it is first needed, and looked at again when something looks wrong.
#[derive(Debug, Default)]
pub(crate) struct Known(OnceCell<Identity>);

enum Unknown {
    NotAnswered(Refusal),
    Wrong(String),
}

impl Known {
    /// `Err`: the wrong cluster, in words, or one that could not be asked. Either may be better the next time.
    pub(crate) async fn learn(
        &self,
        cluster: &Cluster,
        configured: Option<&str>,
    ) -> Result<Result<Identity, String>, Refusal> {
        let find = async || {
            let uid = cluster.uid().await.map_err(Unknown::NotAnswered)?;
            Identity::new(uid, configured.map(str::to_owned)).map_err(Unknown::Wrong)
        };
        match self.0.get_or_try_init(find).await {
            Ok(identity) => Ok(Ok(identity.clone())),
            Err(Unknown::Wrong(why)) => Ok(Err(why)),
            Err(Unknown::NotAnswered(refusal)) => Err(refusal),
        }
    }

    #[cfg(test)]
    pub(crate) fn set(&self, identity: Identity) {
        self.0.set(identity).expect("nobody has asked before");
    }

    /// As far as it is known by now.
    pub(crate) fn get(&self) -> Option<&Identity> {
        self.0.get()
    }

    /// Makes sure that the API at hand is still the one that it was; says so in words if it is not.
    pub(crate) async fn confirm(&self, cluster: &Cluster) -> Result<(), String> {
        let Some(known) = self.get().and_then(|identity| identity.uid.clone()) else { return Ok(()) };
        match cluster.uid().await {
            Ok(Some(uid)) if uid == known => Ok(()),
            Ok(Some(uid)) => Err(format!("the Kubernetes API at hand is the cluster {uid}, and not {known}")),
            Ok(None) => Err(format!("the Kubernetes API at hand does not say any more that it is the cluster {known}")),
            Err(refusal) => Err(refusal.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "0f9d0b0e-6d36-4f5e-9d5c-3c1f5a1d0001";
    const ELSEWHERE: &str = "0f9d0b0e-6d36-4f5e-9d5c-3c1f5a1d0002";

    fn identity(uid: Option<&str>, configured: Option<&str>) -> Result<Identity, String> {
        Identity::new(uid.map(str::to_owned), configured.map(str::to_owned))
    }

    #[test]
    fn a_job_of_another_cluster_is_not_ours() {
        for (uid, configured, of_the_job, is_ours) in [
            (Some(HERE), None, Some(HERE), true),
            (Some(HERE), None, Some(ELSEWHERE), false),
            (Some(HERE), None, None, true),
            // Until somebody allowed the worker to read the uid, Jobs carried what it was told.
            (Some(HERE), Some("north"), Some("north"), true),
            (Some(HERE), Some("north"), Some("south"), false),
            (None, Some("north"), Some("south"), false),
            (None, None, Some(ELSEWHERE), true),
        ] {
            let identity = identity(uid, configured).unwrap();
            assert_eq!(identity.owns(of_the_job), is_ours, "{identity:?}, {of_the_job:?}");
        }
    }

    #[test]
    fn a_worker_that_was_told_of_another_cluster_refuses() {
        let refused = identity(Some(HERE), Some(ELSEWHERE)).unwrap_err();
        assert!(refused.contains(HERE) && refused.contains(ELSEWHERE), "{refused}");
        assert_eq!(identity(Some(HERE), Some("north")).unwrap().name(), Some(HERE));
        assert_eq!(identity(None, Some("north")).unwrap().name(), Some("north"));
    }

    #[test]
    fn jobs_carry_their_cluster() {
        let mut job = json!({"metadata": {"annotations": {"a": "b"}}});
        Identity::default().stamp(&mut job);
        assert_eq!(cluster_of(&job), None);
        identity(Some(HERE), None).unwrap().stamp(&mut job);
        assert_eq!(cluster_of(&job), Some(HERE));
    }
}
