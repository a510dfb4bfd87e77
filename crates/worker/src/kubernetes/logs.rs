//! What a run's containers print, followed from their start: the run's own container as the process worker's output is, the
//! others as notes that name them. What was printed last is kept for a run that fails. Sends nothing to the API itself.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{AsyncBufRead, AsyncBufReadExt};
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
/// Bytes of a line that are kept, its time among them.
const LINE_LIMIT: usize = 16 * 1024;

/// Follows the containers of one run.
pub(crate) struct Follower {
    cluster: Cluster,
    namespace: String,
    news: mpsc::Sender<News>,
    streams: Arc<Semaphore>,
    /// An earlier worker has sent what was printed so far: no more of it is read than the tail.
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
        let from = match container {
            _ if !self.is_adopted => String::new(),
            MAIN => format!("&tailLines={}", self.tail.most),
            _ => "&sinceSeconds=1".to_owned(),
        };
        let path = log_path(&self.namespace, pod, container, "&follow=true&timestamps=true");
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
                    match read(&cluster, &path, &from, &mut last, tell).await {
                        Ok(()) => break,
                        Err(Unread::Denied) => {
                            let message = format!(
                                "What the container `{container}` of pod {pod} prints may not be read: the worker's service \
                                 account needs the verb get on pods/log there (see the chart's Role)."
                            );
                            let _ = news.send(News::Note { level: Level::Warning, message }).await;
                            break;
                        }
                        Err(Unread::Broken) => {}
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
            let path = log_path(&self.namespace, pod, name, "&timestamps=true");
            let from = format!("&tailLines={}", self.tail.most);
            let mut last = String::new();
            let reading = read(&self.cluster, &path, &from, &mut last, |text| self.tail.push(text));
            let _ = timeout(LAST_LINES, reading).await;
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

/// Why output was not read to its end.
enum Unread {
    /// There may be more.
    Broken,
    Denied,
}

/// Reads a container's lines to their end, leaving out those up to `last`; without one, `from` says where to begin.
async fn read(
    cluster: &Cluster,
    path: &str,
    from: &str,
    last: &mut String,
    mut each: impl FnMut(&str),
) -> Result<(), Unread> {
    let from = if last.is_empty() { from.to_owned() } else { format!("&sinceTime={last}") };
    let request = Request::get(format!("{path}{from}")).body(Vec::new()).map_err(|_| Unread::Broken)?;
    let mut stream = match cluster.client.request_stream(request).await {
        Ok(stream) => std::pin::pin!(stream),
        // The pod is gone, or its container has not begun after all.
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
        Err(kube::Error::Api(status)) if status.code == 403 => return Err(Unread::Denied),
        Err(_) => return Err(Unread::Broken),
    };
    let mut line = Vec::new();
    while next_line(&mut stream, &mut line).await.map_err(|_| Unread::Broken)? {
        let line = String::from_utf8_lossy(&line);
        let (time, text) = line.split_once(' ').unwrap_or((&line, ""));
        if time <= last.as_str() {
            continue;
        }
        time.clone_into(last);
        each(text);
    }
    Ok(())
}

/// The next line without its end, in whatever encoding; of a long one its beginning. False: there is none.
async fn next_line(stream: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let mut is_any = false;
    loop {
        let read = stream.fill_buf().await?;
        if read.is_empty() {
            return Ok(is_any);
        }
        is_any = true;
        let end = read.iter().position(|byte| *byte == b'\n');
        let part = &read[..end.unwrap_or(read.len())];
        line.extend_from_slice(&part[..part.len().min(LINE_LIMIT - line.len())]);
        let taken = end.map_or(read.len(), |end| end + 1);
        stream.consume_unpin(taken);
        if end.is_some() {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::io::{BufReader, Cursor};

    use super::*;

    #[tokio::test]
    async fn lines_of_any_bytes_and_any_length_are_read() {
        let long = "x".repeat(3 * LINE_LIMIT);
        let bytes = [b"one\r\ntw\xff\n\n".as_slice(), long.as_bytes(), b"\nlast"].concat();
        for buffer in [1, 7, 8192] {
            let mut stream = BufReader::with_capacity(buffer, Cursor::new(bytes.clone()));
            let (mut lines, mut line) = (Vec::new(), Vec::new());
            while next_line(&mut stream, &mut line).await.unwrap() {
                lines.push(String::from_utf8_lossy(&line).into_owned());
            }
            assert_eq!(lines, ["one", "tw\u{fffd}", "", &long[..LINE_LIMIT], "last"]);
        }
    }
}
