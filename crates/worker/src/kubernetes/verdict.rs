//! What a Job and its pods say about a run: on its way, running, or ended and why. Only a terminal condition is an end. Pure.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    board::{Pod, Snapshot, Warning},
    hints,
};
use crate::{
    infrastructure::{Failure, FailureClass, Line},
    process::{ExitRecord, failure_of},
};

/// Where a run stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Phase {
    /// No container of it runs yet. With a reason, something keeps it.
    Starting(Option<Hindrance>),
    Running,
    Ended(Option<Failure>),
}

/// What keeps a pod from starting.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hindrance {
    pub(crate) class: FailureClass,
    /// Kubernetes' word for it.
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Hindrance {
    pub(crate) fn failure(&self) -> Failure {
        Failure::new(self.class, self.message.clone()).with_hint(hints::of(self.class, &self.reason))
    }
}

/// Whether a Job has come to its end.
pub(crate) fn has_ended(job: &Value) -> bool {
    condition(job, "Complete").is_some() || condition(job, "Failed").is_some()
}

pub(crate) fn assess(seen: &Snapshot, tail: &[Line], now: DateTime<Utc>) -> Phase {
    let newest = newest(seen);
    let job = seen.job.as_deref();
    if job.is_some_and(|job| condition(job, "Complete").is_some()) {
        return Phase::Ended(newest.and_then(|pod| killed_within(pod, tail)));
    }
    if let Some(failed) = job.and_then(|job| condition(job, "Failed")) {
        return Phase::Ended(Some(failure_of_job(failed, newest, tail)));
    }
    if let Some(failed) = job.and_then(|job| condition(job, "FailureTarget")) {
        // The Job waits for pods that nobody will hear of again: their node is gone.
        if newest.is_none_or(|pod| has_finished(pod) || is_overdue(&pod.object, now)) {
            return Phase::Ended(Some(failure_of_job(failed, newest, tail)));
        }
    }
    if seen.is_gone {
        // The Job has run and was tidied away, if its pod came to its end.
        let done = newest.filter(|pod| pod.object["status"]["phase"] == "Succeeded");
        return Phase::Ended(match (done, newest) {
            (Some(pod), _) => killed_within(pod, tail),
            (None, pod) => Some(pod.and_then(|pod| failure_of_pod(pod, tail)).unwrap_or_else(deleted)),
        });
    }
    match newest.filter(|pod| !pod.is_gone) {
        None => Phase::Starting(None),
        Some(pod) => match pod.object["status"]["phase"].as_str() {
            Some("Pending") | None => Phase::Starting(hindrance(&pod.object)),
            _ => Phase::Running,
        },
    }
}

fn newest(seen: &Snapshot) -> Option<&Pod> {
    seen.pods.values().max_by(|one, other| {
        let made = |pod: &Pod| pod.object["metadata"]["creationTimestamp"].as_str().map(str::to_owned);
        made(one).cmp(&made(other))
    })
}

fn deleted() -> Failure {
    Failure::new(FailureClass::Deleted, "The run's Job was deleted while the run was not over.")
        .with_hint("somebody, or something that tidies up, deleted it: see the cluster's audit log")
}

/// Whether nothing of a pod runs any more.
pub(crate) fn has_finished(pod: &Pod) -> bool {
    pod.is_gone || matches!(pod.object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// Whether a pod should have been gone for half a minute: its kubelet does not answer.
fn is_overdue(pod: &Value, now: DateTime<Utc>) -> bool {
    let deleted = pod["metadata"]["deletionTimestamp"].as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
    deleted.is_some_and(|deleted| (now - deleted).num_seconds() > 30)
}

pub(crate) fn condition<'o>(object: &'o Value, kind: &str) -> Option<&'o Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind && condition["status"] == "True")
}

fn failure_of_job(condition: &Value, pod: Option<&Pod>, tail: &[Line]) -> Failure {
    let reason = condition["reason"].as_str().unwrap_or_default();
    if reason == "DeadlineExceeded" {
        return Failure::new(
            FailureClass::Deadline,
            "The run's Job took longer than its `activeDeadlineSeconds` allow.",
        )
        .with_hint(hints::of(FailureClass::Deadline, reason));
    }
    pod.and_then(|pod| failure_of_pod(pod, tail)).unwrap_or_else(|| {
        let message = condition["message"].as_str().unwrap_or("no reason was given");
        Failure::new(FailureClass::StartFailed, format!("The run's Job failed ({reason}): {message}"))
            .with_hint("see `kubectl describe job` for its events")
    })
}

/// Why a pod failed, if it tells: what was done to it first, then what its containers did.
fn failure_of_pod(pod: &Pod, tail: &[Line]) -> Option<Failure> {
    let Pod { object: pod, .. } = pod;
    let place = place_of(pod);
    let status = &pod["status"];
    let message = status["message"].as_str().unwrap_or_default();
    let of = |class: FailureClass, reason: &str, what: &str, details: &str| {
        let details = if details.is_empty() { String::new() } else { format!(": {details}") };
        Some(Failure::new(class, format!("{place} {what}{details}")).with_hint(hints::of(class, reason)))
    };
    let reason = status["reason"].as_str().unwrap_or_default();
    let disruption = condition(pod, "DisruptionTarget");
    let (why, details) = disruption.map_or(("", ""), |found| {
        (found["reason"].as_str().unwrap_or_default(), found["message"].as_str().unwrap_or_default())
    });
    match (reason, why) {
        ("Evicted", _) => return of(FailureClass::Evicted, "pressure", "was evicted", message),
        ("Preempting", _) | (_, "PreemptionByScheduler") => {
            return of(FailureClass::Preempted, why, "was preempted", details);
        }
        ("NodeLost" | "Terminated" | "Shutdown" | "NodeShutdown", _)
        | (_, "DeletionByTaintManager" | "DeletionByPodGC") => {
            return of(
                FailureClass::NodeLost,
                why,
                "lost its node",
                if details.is_empty() { message } else { details },
            );
        }
        (_, "EvictionByEvictionAPI") => return of(FailureClass::Evicted, "api", "was evicted", details),
        ("DeadlineExceeded", _) => return of(FailureClass::Deadline, reason, "took too long", message),
        ("OutOfcpu" | "OutOfmemory" | "OutOfpods" | "UnexpectedAdmissionError" | "NodeAffinity", _) => {
            return of(FailureClass::Unschedulable, reason, "was refused by its node", message);
        }
        (_, "TerminationByKubelet") => return of(FailureClass::Evicted, why, "was ended by its node", details),
        _ => {}
    }
    let ended = containers(pod).find_map(|container| {
        let ended = &container["state"]["terminated"];
        (ended.is_object() && ended["exitCode"] != 0).then_some((container, ended))
    });
    if let Some((container, ended)) = ended {
        return Some(failure_of_container(pod, container, ended, tail));
    }
    if status["phase"] == "Unknown" {
        return of(FailureClass::NodeLost, "", "is on a node that does not answer", message);
    }
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        return of(FailureClass::Deleted, "", "was deleted before the run was over", "");
    }
    (status["phase"] == "Failed").then(|| {
        let said = if message.is_empty() { reason } else { message };
        Failure::new(FailureClass::StartFailed, format!("{place} failed: {said}"))
            .with_hint("see `kubectl describe pod`")
    })
}

/// What a container that ended well has lost: a process that took too much memory. Whether the run could do without that, the run says
/// itself. The SDK, whose flow is such a process, says that it crashed and cannot know of what.
fn killed_within(pod: &Pod, tail: &[Line]) -> Option<Failure> {
    let (container, ended) = containers(&pod.object)
        .map(|container| (container, &container["state"]["terminated"]))
        .find(|(_, ended)| ended["reason"] == "OOMKilled" && ended["exitCode"] == 0)?;
    Some(failure_of_container(&pod.object, container, ended, tail))
}

fn failure_of_container(pod: &Value, container: &Value, ended: &Value, tail: &[Line]) -> Failure {
    let name = container["name"].as_str().unwrap_or_default();
    let reason = ended["reason"].as_str().unwrap_or_default();
    let message = ended["message"].as_str().unwrap_or_default();
    let code = ended["exitCode"].as_i64().unwrap_or_default() as i32;
    let signal = ended["signal"].as_i64().map(|signal| signal as i32).filter(|signal| *signal > 0);
    // A shell's way to say that a signal ended its child, which Kubernetes has too.
    let signal = signal.or((code > 128 && code < 160).then_some(code - 128)).filter(|_| reason != "StartError");
    let at = format!("container `{name}` of {}", place_of(pod).to_lowercase_first());
    let by = |class: FailureClass, what: &str| {
        let mut failure = Failure::new(class, format!("The {at} {what}")).with_hint(hints::of(class, reason));
        failure.exit_code = Some(code);
        failure.signal = signal;
        failure
    };
    match reason {
        "OOMKilled" if code == 0 => {
            by(FailureClass::OomKilled, "lost a process that used more memory than its limit allows.")
        }
        "OOMKilled" => by(FailureClass::OomKilled, "was killed because it used more memory than its limit."),
        "ContainerStatusUnknown" => by(FailureClass::NodeLost, "was lost with its node."),
        "StartError" | "ContainerCannotRun" if message.contains("not found") || message.contains("no such file") => {
            by(FailureClass::CommandNotFound, &format!("could not be started: {message}"))
        }
        "StartError" | "ContainerCannotRun" => {
            by(FailureClass::StartFailed, &format!("could not be started: {message}"))
        }
        _ if !pod["metadata"]["deletionTimestamp"].is_null() && matches!(code, 137 | 143) => {
            by(FailureClass::Deleted, "was ended because its pod was deleted.")
        }
        _ => {
            let record = ExitRecord { code: Some(code), signal, tail: tail.to_vec(), ..ExitRecord::default() };
            let base = failure_of(&record);
            let (class, hint) =
                base.as_ref().map_or((FailureClass::ExitCode, None), |base| (base.class, base.hint.clone()));
            let words = base.map(|base| base.message.replace("The run's process", &format!("The {at}")));
            let message = words.unwrap_or_else(|| format!("The {at} ended with exit code {code}."));
            let hint = hint.map(|hint| hint.replace("Python interpreter of this worker", "image's Python"));
            Failure { class, exit_code: Some(code), signal, message, hint }
        }
    }
}

/// What keeps a pending pod, by its containers first: they know more than the scheduler.
fn hindrance(pod: &Value) -> Option<Hindrance> {
    let place = place_of(pod);
    for container in containers(pod) {
        let waiting = &container["state"]["waiting"];
        let reason = waiting["reason"].as_str().unwrap_or_default();
        let class = match reason {
            "ErrImagePull"
            | "ImagePullBackOff"
            | "ErrImageNeverPull"
            | "RegistryUnavailable"
            | "ImageInspectError"
            | "SignatureValidationFailed" => FailureClass::ImagePull,
            "InvalidImageName" | "CreateContainerConfigError" | "CreateContainerError" | "CreatePodSandboxError" => {
                FailureClass::ConfigError
            }
            "RunContainerError" | "CrashLoopBackOff" => FailureClass::StartFailed,
            _ => continue,
        };
        let (name, image) = (container["name"].as_str().unwrap_or_default(), container["image"].as_str());
        let what = match class {
            FailureClass::ImagePull => format!("cannot get its image `{}`", image.unwrap_or_default()),
            _ => "cannot be started".to_owned(),
        };
        let details = waiting["message"].as_str().unwrap_or_default();
        let message = format!("Container `{name}` of {} {what} ({reason}): {details}", place.to_lowercase_first());
        return Some(Hindrance { class, reason: reason.to_owned(), message });
    }
    let conditions = pod["status"]["conditions"].as_array();
    let unscheduled = conditions.into_iter().flatten().find(|condition| {
        condition["type"] == "PodScheduled" && condition["status"] == "False" && condition["reason"] == "Unschedulable"
    })?;
    let details = unscheduled["message"].as_str().unwrap_or_default();
    Some(Hindrance {
        class: FailureClass::Unschedulable,
        reason: "Unschedulable".to_owned(),
        message: format!("{place} cannot be scheduled: {details}"),
    })
}

/// What a warning of the cluster's says about a run that has not begun: about its newest pod, or its Job if that has none.
pub(crate) fn warned(seen: &Snapshot) -> Option<Hindrance> {
    let warning = seen.warning.as_ref()?;
    let pod = newest(seen).filter(|pod| !pod.is_gone).map(|pod| &*pod.object);
    let (what, object) = pod.map_or(("Job", seen.job.as_deref()?), |pod| ("Pod", pod));
    if object["metadata"]["uid"] != warning.uid {
        return None;
    }
    let Warning { reason, message, .. } = warning;
    let class = match reason.as_str() {
        "FailedCreate" if message.contains("quota") => FailureClass::Unschedulable,
        "FailedMount" | "FailedAttachVolume" | "FailedCreate" => FailureClass::ConfigError,
        "FailedCreatePodSandBox" => FailureClass::StartFailed,
        _ => return None,
    };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let message = format!("{what} `{name}` cannot start ({reason}): {message}");
    Some(Hindrance { class, reason: reason.clone(), message })
}

/// The statuses of a pod's containers: those that come first, first.
pub(crate) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let of = |key: &str| pod["status"][key].as_array().into_iter().flatten();
    of("initContainerStatuses").chain(of("containerStatuses"))
}

fn place_of(pod: &Value) -> String {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    match pod["spec"]["nodeName"].as_str() {
        Some(node) => format!("Pod `{name}` on node `{node}`"),
        None => format!("Pod `{name}`"),
    }
}

/// For words in the middle of a sentence.
trait LowercaseFirst {
    fn to_lowercase_first(&self) -> String;
}

impl LowercaseFirst for String {
    fn to_lowercase_first(&self) -> String {
        let mut characters = self.chars();
        characters.next().map_or_else(Self::new, |first| first.to_lowercase().chain(characters).collect())
    }
}

#[cfg(test)]
mod tests;
