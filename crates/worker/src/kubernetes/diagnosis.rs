//! The reference's diagnoses of pods, word for word in what automations match on: category, summary, order of the rules. The
//! worker's own verdicts (`verdict`) know more; these go into events and logs. Pure.

use serde_json::Value;

use super::verdict;
use crate::infrastructure::Level;

/// What is wrong with a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    pub(crate) category: &'static str,
    pub(crate) level: Level,
    pub(crate) summary: String,
    pub(crate) detail: String,
    pub(crate) resolution: &'static str,
}

impl Diagnosis {
    pub(crate) fn message(&self) -> String {
        let detail = if self.detail.is_empty() { String::new() } else { format!(": {}", self.detail) };
        format!("{}{detail} Resolution: {}", self.summary, self.resolution)
    }
}

pub(crate) fn diagnose(pod: &Value) -> Option<Diagnosis> {
    for container in verdict::containers(pod) {
        let name = container["name"].as_str().unwrap_or_default();
        let waiting = &container["state"]["waiting"];
        let ended = &container["state"]["terminated"];
        let reason = waiting["reason"].as_str().or(ended["reason"].as_str()).unwrap_or_default();
        let detail = waiting["message"].as_str().or(ended["message"].as_str()).unwrap_or_default().to_owned();
        let found = |category, level, summary, resolution| {
            Some(Diagnosis { category, level, summary, detail: detail.clone(), resolution })
        };
        match reason {
            "ImagePullBackOff" | "ErrImagePull" => {
                return found(
                    "ImagePullError",
                    Level::Error,
                    format!("Image pull failed for container '{name}'"),
                    "Check the image's name and tag, and the pull secrets.",
                );
            }
            "CrashLoopBackOff" => {
                return found(
                    "CrashLoopBackOff",
                    Level::Error,
                    format!("Container '{name}' is crash-looping"),
                    "Read its logs; check entrypoint, environment and volumes.",
                );
            }
            "OOMKilled" => {
                return found(
                    "OOMKilled",
                    Level::Error,
                    format!("Container '{name}' was killed due to out-of-memory (OOMKilled)"),
                    "Raise the memory limit.",
                );
            }
            "Evicted" => {
                return found(
                    "Evicted",
                    Level::Warning,
                    format!("Container '{name}' was evicted"),
                    "The node was under pressure: raise the requests.",
                );
            }
            _ => {}
        }
    }
    let conditions = pod["status"]["conditions"].as_array();
    let unscheduled = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "PodScheduled" && condition["reason"] == "Unschedulable");
    if let Some(condition) = unscheduled {
        let detail = condition["message"].as_str().unwrap_or_default().to_owned();
        return Some(Diagnosis {
            category: unschedulable(&detail.to_lowercase()),
            level: Level::Warning,
            summary: "Pod is unschedulable".to_owned(),
            detail,
            resolution: "Check resources, node selectors and tolerations.",
        });
    }
    (pod["status"]["reason"] == "Evicted").then(|| Diagnosis {
        category: "Evicted",
        level: Level::Warning,
        summary: "Pod was evicted".to_owned(),
        detail: pod["status"]["message"].as_str().unwrap_or_default().to_owned(),
        resolution: "The node was under pressure: raise the requests.",
    })
}

fn unschedulable(message: &str) -> &'static str {
    if message.contains("taint") {
        "Unschedulable.Taint"
    } else if message.contains("affinity") || message.contains("node selector") {
        "Unschedulable.NodeAffinity"
    } else if message.contains("insufficient") {
        "Unschedulable.InsufficientResources"
    } else {
        "Unschedulable"
    }
}

/// What repeats of a diagnosis are compared by: the scheduler counts nodes anew in each of its messages.
pub(crate) fn key(diagnosis: &Diagnosis) -> String {
    let detail = if diagnosis.category.starts_with("Unschedulable") {
        let text: String = diagnosis.detail.chars().filter(|c| !c.is_ascii_digit()).collect();
        let mut parts: Vec<_> = text.split([',', ':', '.']).map(|part| part.trim().to_owned()).collect();
        parts.sort_unstable();
        parts.join(",")
    } else {
        diagnosis.detail.clone()
    };
    format!("{}|{}|{detail}", diagnosis.category, diagnosis.summary)
}
