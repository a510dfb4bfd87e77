//! What a run's containers print, followed from their start: the run's own container as the process worker's output is, the
//! others as notes that name them. What was printed last is kept for a run that fails. Sends nothing to the API itself.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{AsyncBufReadExt, StreamExt};
use http::Request;
use tokio::{
    sync::{Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    board::Snapshot,
    cluster::{Cluster, jittered},
    verdict,
};
use crate::{
    infrastructure::{Level, Line, News, Stream},
    lock::lock,
};

/// The container that a run's own process is in.
pub(crate) const MAIN: &str = "prefect-job";
/// Streams that may be open at a time; a run beyond them has its output read when it ends.
pub(crate) const STREAMS: usize = 1000;
const AGAIN: Duration = Duration::from_secs(1);
/// Between two tries at a node that does not give its containers' output.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How long the last lines of an ended container may take to come.
const LAST_LINES: Duration = Duration::from_secs(2);
const LINE_LIMIT: usize = 16 * 1024;

/// Follows the containers of one run.
pub(crate) struct Follower {
    cluster: Cluster,
    namespace: String,
    news: mpsc::Sender<News>,
    streams: Arc<Semaphore>,
    /// Only what comes from now on: an earlier worker has sent the rest.
    is_adopted: bool,
    is_wanted: bool,
    followed: HashSet<(String, String, i64)>,
    tail: Arc<Tail>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The last lines of the run's own container.
#[derive(Debug)]
struct Tail {
    lines: Mutex<VecDeque<Line>>,
    most: usize,
}

impl Tail {
    fn push(&self, text: &str) {
        let mut lines = lock(&self.lines);
        lines.push_back(Line { stream: Stream::Err, text: text.to_owned() });
        while lines.len() > self.most {
            lines.pop_front();
        }
    }

    fn read(&self) -> Vec<Line> {
        lock(&self.lines).iter().cloned().collect()
    }
}

impl Follower {
    pub(crate) fn new(
        cluster: Cluster,
        namespace: String,
        news: mpsc::Sender<News>,
        streams: Arc<Semaphore>,
        (is_adopted, is_wanted, most): (bool, bool, usize),
    ) -> Self {
        let tail = Arc::new(Tail { lines: Mutex::default(), most });
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let followed = HashSet::new();
        Self { cluster, namespace, news, streams, is_adopted, is_wanted, followed, tail, tasks, stop }
    }

    /// Begins with containers that have begun.
    pub(crate) fn follow(&mut self, seen: &Snapshot) {
        if !self.is_wanted {
            return;
        }
        for (uid, pod) in seen.pods.iter().filter(|(_, pod)| !pod.is_gone) {
            for container in verdict::containers(&pod.object) {
                let state = &container["state"];
                if !state["running"].is_object() && !state["terminated"].is_object() {
                    continue;
                }
                let name = container["name"].as_str().unwrap_or_default();
                let restarts = container["restartCount"].as_i64().unwrap_or_default();
                if self.followed.insert((uid.clone(), name.to_owned(), restarts)) {
                    self.spawn(pod.object["metadata"]["name"].as_str().unwrap_or_default(), name);
                }
            }
        }
    }

    fn spawn(&self, pod: &str, container: &str) {
        let Ok(permit) = Arc::clone(&self.streams).try_acquire_owned() else { return };
        let from = if self.is_adopted && container != MAIN { "&sinceSeconds=1" } else { "" };
        let path = log_path(&self.namespace, pod, container, &format!("&follow=true&timestamps=true{from}"));
        let (cluster, news, tail, stop) =
            (self.cluster.clone(), self.news.clone(), Arc::clone(&self.tail), self.stop.clone());
        let (pod, container) = (pod.to_owned(), container.to_owned());
        self.tasks.spawn(async move {
            let mut last = String::new();
            let reading = async {
                let mut pause = AGAIN;
                loop {
                    let mut has_lines = false;
                    let tell = |text: &str| {
                        has_lines = true;
                        tell(&news, &tail, &pod, &container, text);
                    };
                    // A stream that breaks is begun again where it broke; one that ends has ended with its container.
                    if read(&cluster, &path, &mut last, tell).await.is_ok() {
                        break;
                    }
                    pause = if has_lines { AGAIN } else { (pause * 2).min(LONGEST_PAUSE) };
                    sleep(jittered(pause)).await;
                }
            };
            stop.run_until_cancelled(reading).await;
            drop(permit);
        });
    }

    /// The last lines, once all that was printed has come.
    pub(crate) async fn finish(self, seen: &Snapshot, has_failed: bool) -> Vec<Line> {
        self.tasks.close();
        let _ = timeout(LAST_LINES, self.tasks.wait()).await;
        self.stop.cancel();
        let lines = self.tail.read();
        if !lines.is_empty() || !has_failed {
            return lines;
        }
        // Nobody followed: it is asked for now, of the container that failed first.
        for pod in seen.pods.values().filter(|pod| !pod.is_gone) {
            let ended = verdict::containers(&pod.object).find(|container| {
                container["state"]["terminated"].is_object() && container["state"]["terminated"]["exitCode"] != 0
            });
            let Some(name) = ended.and_then(|container| container["name"].as_str()) else { continue };
            let pod = pod.object["metadata"]["name"].as_str().unwrap_or_default();
            let path = log_path(&self.namespace, pod, name, &format!("&timestamps=true&tailLines={}", self.tail.most));
            let _ =
                timeout(LAST_LINES, read(&self.cluster, &path, &mut String::new(), |text| self.tail.push(text))).await;
        }
        self.tail.read()
    }
}

fn tell(news: &mpsc::Sender<News>, tail: &Tail, pod: &str, container: &str, text: &str) {
    let told = if container == MAIN {
        tail.push(text);
        News::Line(Line { stream: Stream::Out, text: text.to_owned() })
    } else {
        News::Note { level: Level::Info, message: format!("[{pod}/{container}] {text}") }
    };
    if news.try_send(told).is_err() {
        metrics::counter!(crate::metrics::LINES_DROPPED).increment(1);
    }
}

fn log_path(namespace: &str, pod: &str, container: &str, more: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}{more}")
}

/// Reads a container's lines to their end, leaving out those up to `last`; an error means that there may be more.
async fn read(cluster: &Cluster, path: &str, last: &mut String, mut each: impl FnMut(&str)) -> Result<(), ()> {
    let since = if last.is_empty() { String::new() } else { format!("&sinceTime={last}") };
    let request = Request::get(format!("{path}{since}")).body(Vec::new()).map_err(drop)?;
    let stream = match cluster.client.request_stream(request).await {
        Ok(stream) => stream,
        // The pod is gone, or its container has not begun after all.
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 403 => return Ok(()),
        Err(_) => return Err(()),
    };
    let mut lines = std::pin::pin!(stream.lines());
    while let Some(line) = lines.next().await {
        let line = line.map_err(drop)?;
        let (time, text) = line.split_once(' ').unwrap_or((&line, ""));
        if time <= last.as_str() {
            continue;
        }
        time.clone_into(last);
        let end = text.floor_char_boundary(LINE_LIMIT);
        each(&text[..end]);
    }
    Ok(())
}
