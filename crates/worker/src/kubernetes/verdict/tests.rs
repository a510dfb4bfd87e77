//! Pods as kubelets, schedulers and controllers leave them, and what is made of them. Their words are those of Kubernetes'
//! API; what a real cluster can be brought to say is tested on one (`tests/kubernetes`).

use serde_json::json;

use super::{super::observe::slim_value, *};

const NOON: &str = "2026-03-01T12:00:00Z";

fn at(seconds: i64) -> DateTime<Utc> {
    NOON.parse::<DateTime<Utc>>().unwrap() + chrono::Duration::seconds(seconds)
}

fn pod(metadata: Value, status: Value) -> Pod {
    let mut metadata = metadata;
    metadata["name"] = "run-x".into();
    // As the board has it: what is not kept cannot be judged by.
    let object = slim_value(&json!({"metadata": metadata, "spec": {"nodeName": "n1"}, "status": status}));
    Pod { object: object.into(), is_gone: false }
}

fn seen(job: Value, pod: Option<Pod>) -> Snapshot {
    let pods = pod.into_iter().map(|pod| ("1".to_owned(), pod)).collect();
    Snapshot { job: Some(slim_value(&json!({ "status": job })).into()), pods, ..Snapshot::default() }
}

fn failed(reason: &str) -> Value {
    json!({"conditions": [{"type": "Failed", "status": "True", "reason": reason, "message": "as it says"}]})
}

fn ended(state: Value) -> Value {
    json!({"phase": "Failed", "containerStatuses": [{"name": "prefect-job", "state": {"terminated": state}}]})
}

fn disrupted(reason: &str) -> Value {
    json!({"phase": "Failed", "conditions": [
        {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "because of it"}]})
}

#[test]
fn the_end_of_a_pod_has_a_class_and_says_where() {
    for (status, class, words) in [
        (ended(json!({"exitCode": 3})), FailureClass::ExitCode, "exit code 3"),
        (ended(json!({"exitCode": 137, "reason": "OOMKilled"})), FailureClass::OomKilled, "more memory than its limit"),
        (ended(json!({"exitCode": 139})), FailureClass::Signal, "SIGSEGV"),
        (
            ended(json!({"exitCode": 128, "reason": "StartError", "message": "exec: \"prefect\": not found"})),
            FailureClass::CommandNotFound,
            "could not be started",
        ),
        (ended(json!({"exitCode": 137, "reason": "ContainerStatusUnknown"})), FailureClass::NodeLost, "lost"),
        (
            json!({"phase": "Failed", "reason": "Evicted", "message": "low on resource: ephemeral-storage"}),
            FailureClass::Evicted,
            "ephemeral-storage",
        ),
        (disrupted("EvictionByEvictionAPI"), FailureClass::Evicted, "because of it"),
        (disrupted("TerminationByKubelet"), FailureClass::Evicted, "because of it"),
        (disrupted("PreemptionByScheduler"), FailureClass::Preempted, "because of it"),
        (disrupted("DeletionByTaintManager"), FailureClass::NodeLost, "because of it"),
        (disrupted("DeletionByPodGC"), FailureClass::NodeLost, "because of it"),
        (json!({"phase": "Failed", "reason": "NodeShutdown", "message": "bye"}), FailureClass::NodeLost, "bye"),
        (json!({"phase": "Unknown", "message": "no word"}), FailureClass::NodeLost, "does not answer"),
        (
            json!({"phase": "Failed", "reason": "OutOfcpu", "message": "too few"}),
            FailureClass::Unschedulable,
            "too few",
        ),
        (json!({"phase": "Failed", "reason": "Odd", "message": ""}), FailureClass::StartFailed, "Odd"),
    ] {
        let snapshot = seen(failed("BackoffLimitExceeded"), Some(pod(json!({}), status.clone())));
        let Phase::Ended(Some(failure)) = assess(&snapshot, &[], at(0)) else { panic!("{status} is an end") };
        assert_eq!(failure.class, class, "{status}");
        assert!(failure.message.contains(words), "{status}: {failure}");
        assert!(failure.message.contains("`run-x` on node `n1`"), "{status}: {failure}");
    }
}

#[test]
fn only_a_terminal_condition_is_an_end() {
    let gone_wrong = || Some(pod(json!({}), ended(json!({"exitCode": 1}))));
    assert_eq!(assess(&seen(json!({}), gone_wrong()), &[], at(0)), Phase::Running);
    assert_eq!(assess(&seen(json!({}), None), &[], at(0)), Phase::Starting(None));
    let complete = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    assert_eq!(assess(&seen(complete, gone_wrong()), &[], at(0)), Phase::Ended(None));
    let not_yet = json!({"conditions": [{"type": "Failed", "status": "False"}]});
    assert_eq!(assess(&seen(not_yet, gone_wrong()), &[], at(0)), Phase::Running);
}

#[test]
fn a_process_that_was_killed_for_its_memory_is_told_although_its_container_ended_well() {
    let lost = || {
        let state = json!({"terminated": {"exitCode": 0, "reason": "OOMKilled"}});
        Some(pod(
            json!({}),
            json!({"phase": "Succeeded", "containerStatuses": [{"name": "prefect-job", "state": state}]}),
        ))
    };
    let complete = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    for seen in [seen(complete, lost()), Snapshot { is_gone: true, ..seen(json!({}), lost()) }] {
        let Phase::Ended(Some(failure)) = assess(&seen, &[], at(0)) else { panic!("it lost a process") };
        assert_eq!((failure.class, failure.exit_code), (FailureClass::OomKilled, Some(0)), "{failure}");
        assert!(failure.message.contains("lost a process"), "{failure}");
    }
}

#[test]
fn a_job_that_failed_without_a_pod_says_why_itself() {
    for (reason, class) in
        [("DeadlineExceeded", FailureClass::Deadline), ("PodFailurePolicy", FailureClass::StartFailed)]
    {
        let Phase::Ended(Some(failure)) = assess(&seen(failed(reason), None), &[], at(0)) else { panic!("{reason}") };
        assert_eq!(failure.class, class, "{failure}");
    }
}

#[test]
fn a_pod_whose_node_is_silent_is_waited_for_and_then_given_up() {
    let target = json!({"conditions": [{"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"}]});
    let leaving = || Some(pod(json!({ "deletionTimestamp": NOON }), json!({"phase": "Running"})));
    assert_eq!(assess(&seen(target.clone(), leaving()), &[], at(20)), Phase::Running);
    let Phase::Ended(Some(failure)) = assess(&seen(target, leaving()), &[], at(40)) else { panic!("nobody answers") };
    assert_eq!(failure.class, FailureClass::Deleted);
}

#[test]
fn a_job_that_is_gone_ended_well_only_if_its_pod_did() {
    for (status, class) in [
        (Some(json!({"phase": "Succeeded"})), None),
        (Some(json!({"phase": "Running"})), Some(FailureClass::Deleted)),
        (Some(ended(json!({"exitCode": 137, "reason": "OOMKilled"}))), Some(FailureClass::OomKilled)),
        (None, Some(FailureClass::Deleted)),
    ] {
        let pod = status.clone().map(|status| pod(json!({}), status));
        let snapshot = Snapshot { is_gone: true, ..seen(json!({}), pod) };
        let Phase::Ended(failure) = assess(&snapshot, &[], at(0)) else { panic!("{status:?} is an end") };
        assert_eq!(failure.map(|failure| failure.class), class, "{status:?}");
    }
}

#[test]
fn what_keeps_a_pod_is_told_by_its_containers_before_the_scheduler() {
    let waiting = |reason: &str| json!([{"name": "prefect-job", "image": "r/f", "state": {"waiting": {"reason": reason, "message": "so"}}}]);
    let unscheduled =
        json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]);
    for (status, expected) in [
        (json!({"containerStatuses": waiting("ImagePullBackOff")}), Some((FailureClass::ImagePull, "`r/f`"))),
        (
            json!({"containerStatuses": waiting("InvalidImageName")}),
            Some((FailureClass::ConfigError, "InvalidImageName")),
        ),
        (json!({"containerStatuses": waiting("CrashLoopBackOff")}), Some((FailureClass::StartFailed, "so"))),
        (
            json!({"initContainerStatuses": waiting("ErrImagePull"), "conditions": unscheduled.clone()}),
            Some((FailureClass::ImagePull, "`r/f`")),
        ),
        (json!({"containerStatuses": waiting("ContainerCreating")}), None),
        (json!({ "conditions": unscheduled }), Some((FailureClass::Unschedulable, "0/3 nodes"))),
        (json!({}), None),
    ] {
        let mut pending = status.clone();
        pending["phase"] = "Pending".into();
        let Phase::Starting(hindrance) = assess(&seen(json!({}), Some(pod(json!({}), pending))), &[], at(0)) else {
            panic!("{status} is no end")
        };
        assert_eq!(hindrance.as_ref().map(|found| found.class), expected.map(|(class, _)| class), "{status}");
        if let (Some(found), Some((_, words))) = (hindrance, expected) {
            assert!(found.message.contains(words), "{status}: {}", found.message);
        }
    }
}
