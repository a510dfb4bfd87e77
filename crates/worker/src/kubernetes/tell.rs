//! What the watch of a run has to tell besides its end: events of its pods, diagnoses, what it waits for. Tells each once.

use std::collections::HashMap;

use tidegate_core::time::Timestamp;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{board::Snapshot, diagnosis, pod_events, selector::Selector, verdict::Phase};
use crate::{
    clock::now,
    infrastructure::{Level, News},
};

/// What has been told of one run.
pub(crate) struct Teller {
    news: mpsc::Sender<News>,
    /// The pods whose events are told.
    events_of: Option<Selector>,
    /// By pod: its last event, and the diagnosis that was told.
    pods: HashMap<String, Told>,
    waiting: String,
}

#[derive(Default)]
struct Told {
    event: Option<(Uuid, Timestamp)>,
    diagnosis: Option<String>,
}

impl Teller {
    pub(crate) fn new(news: mpsc::Sender<News>, events_of: Option<Selector>) -> Self {
        Self { news, events_of, pods: HashMap::new(), waiting: String::new() }
    }

    pub(crate) async fn tell(&mut self, seen: &Snapshot, phase: &Phase) {
        for (uid, pod) in &seen.pods {
            let told = self.pods.entry(uid.clone()).or_default();
            let found = diagnosis::diagnose(&pod.object);
            let is_change = told.event.is_some();
            let event = pod_events::event(&pod.object, found.as_ref(), is_change, told.event, now());
            if let Some(event) = event.filter(|event| told.event.is_none_or(|(id, _)| id != event.id)) {
                told.event = Some((event.id, event.occurred));
                let labels = &pod.object["metadata"]["labels"];
                if self.events_of.as_ref().is_some_and(|wanted| wanted.matches(labels)) {
                    let _ = self.news.send(News::Event(Box::new(event))).await;
                }
            }
            let key = found.as_ref().map(diagnosis::key);
            if key != told.diagnosis {
                told.diagnosis = key;
                if let Some(found) = found {
                    let _ = self.news.send(News::Note { level: found.level, message: found.message() }).await;
                }
            }
        }
        match phase {
            Phase::Starting(Some(hindrance)) => self.tell_waiting(hindrance.message.clone()).await,
            Phase::Starting(None) if self.waiting.is_empty() && !seen.pods.is_empty() => {
                self.tell_waiting("Kubernetes pod is pending.".to_owned()).await;
            }
            Phase::Starting(None) | Phase::Running | Phase::Ended(_) => {}
        }
    }

    pub(crate) async fn tell_waiting(&mut self, reason: String) {
        if reason != self.waiting {
            self.waiting.clone_from(&reason);
            let _ = self.news.send(News::Waiting(reason)).await;
        }
    }

    pub(crate) async fn note(&self, level: Level, message: String) {
        let _ = self.news.send(News::Note { level, message }).await;
    }
}
