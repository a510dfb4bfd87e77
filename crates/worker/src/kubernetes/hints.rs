//! What to do about each kind of failure on Kubernetes. Words only.

use crate::infrastructure::FailureClass;

pub(crate) fn of(class: FailureClass, reason: &str) -> &'static str {
    use FailureClass as C;
    match (class, reason) {
        (C::OomKilled, _) => "raise the job variable `memory_limit`, or let the failure policy do it (`oom_killed`)",
        (C::Evicted, "pressure") => {
            "the node ran out of a resource: raise `memory_request`, or ask for ephemeral storage, so that the pod is not among the first to go"
        }
        (C::Evicted, _) => {
            "somebody drained its node, or an autoscaler did; the failure policy can start such runs again"
        }
        (C::Preempted, _) => {
            "a pod of higher priority needed the place; give the pod a priority class, or let the failure policy start it again"
        }
        (C::NodeLost, _) => "the node went away or stopped answering; the failure policy can start such runs again",
        (C::ImagePull, "ErrImageNeverPull") => "the image is not on the node and `image_pull_policy` is Never",
        (C::ImagePull, _) => {
            "check the image's name and tag, that its registry can be reached from the node, and the pull secret of the pod or its service account"
        }
        (C::Unschedulable, _) => {
            "no node has what the pod asks for: check requests, node selectors, tolerations and quotas, or wait for more nodes"
        }
        (C::Deadline, _) => "raise the time that the Job may take, or see why the run takes so long",
        (C::ConfigError, "InvalidImageName") => "the job variable `image` is no valid image name",
        (C::ConfigError, _) => {
            "check that the Secrets, ConfigMaps, volumes and service accounts that the pod names exist in its namespace"
        }
        (C::CommandNotFound, _) => "check the job variable `command` and that the image has prefect installed",
        (C::Deleted, _) => "somebody, or something that tidies up, deleted it: see the cluster's audit log",
        (C::LeaseLost, _) => "see that a worker of the pool is running",
        (C::Signal, _) => "a crash inside native code ends so; the last lines of the output may tell more",
        (C::ExitCode, _) => "see the run's logs and the last lines of its output",
        (C::StartFailed, _) => "see `kubectl describe pod` for what the node says",
    }
}
