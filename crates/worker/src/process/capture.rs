//! Cuts a process's output into lines without ever holding more than one line of bounded length.

use std::collections::VecDeque;

use crate::infrastructure::{Line, Stream};

/// A longer line is cut into pieces of this many bytes.
pub(crate) const LINE_LIMIT: usize = 16 * 1024;
/// How much of the end of the output is kept for the report on a run that died.
const TAIL_LINES: usize = 200;
const TAIL_BYTES: usize = 64 * 1024;

/// Collects chunks until lines are complete.
#[derive(Default)]
pub(crate) struct Splitter {
    partial: Vec<u8>,
}

impl Splitter {
    /// Takes a chunk and hands out each line that it completes, without its line end.
    pub(crate) fn push(&mut self, mut chunk: &[u8], mut emit: impl FnMut(&[u8])) {
        while !chunk.is_empty() {
            let (piece, rest, ends) = match chunk.iter().position(|byte| *byte == b'\n') {
                Some(end) => (&chunk[..end], &chunk[end + 1..], true),
                None => (chunk, &chunk[chunk.len()..], false),
            };
            let room = LINE_LIMIT - self.partial.len();
            if piece.len() > room {
                self.partial.extend_from_slice(&piece[..room]);
                self.flush(&mut emit);
                chunk = &chunk[room..];
                continue;
            }
            self.partial.extend_from_slice(piece);
            if ends {
                self.flush(&mut emit);
            }
            chunk = rest;
        }
    }

    /// Hands out what is left at the end of the stream.
    pub(crate) fn finish(&mut self, mut emit: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            self.flush(&mut emit);
        }
    }

    fn flush(&mut self, emit: &mut impl FnMut(&[u8])) {
        emit(self.partial.strip_suffix(b"\r").unwrap_or(&self.partial));
        self.partial.clear();
    }
}

/// The last lines of a run's output.
#[derive(Default)]
pub(crate) struct Tail {
    lines: VecDeque<Line>,
    bytes: usize,
}

impl Tail {
    pub(crate) fn push(&mut self, line: Line) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
        while self.lines.len() > TAIL_LINES || self.bytes > TAIL_BYTES {
            let Some(dropped) = self.lines.pop_front() else { break };
            self.bytes -= dropped.text.len();
        }
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.lines.iter().cloned().collect()
    }
}

/// A line as the supervisor hands it to the worker: the stream's number, a space, the text.
pub(crate) fn frame(stream: Stream, text: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(text.len() + 3);
    frame.extend_from_slice(match stream {
        Stream::Out => b"1 ",
        Stream::Err => b"2 ",
    });
    frame.extend_from_slice(text);
    frame.push(b'\n');
    frame
}

/// What the supervisor says on its output.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The process runs under this id.
    Started(u32),
    Line(Line),
}

/// Reads one frame, without its line end. Anything else on the supervisor's output is not for us.
pub(crate) fn parse_frame(frame: &[u8]) -> Option<Frame> {
    let (tag, text) = frame.split_at_checked(2)?;
    let line = |stream| Some(Frame::Line(Line { stream, text: String::from_utf8_lossy(text).into_owned() }));
    match tag {
        b"1 " => line(Stream::Out),
        b"2 " => line(Stream::Err),
        b"p " => std::str::from_utf8(text).ok()?.parse().ok().map(Frame::Started),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let mut splitter = Splitter::default();
        for chunk in chunks {
            splitter.push(chunk, |line| lines.push(line.to_vec()));
        }
        splitter.finish(|line| lines.push(line.to_vec()));
        lines
    }

    #[test]
    fn lines_are_cut_at_line_ends_whatever_the_chunks() {
        for chunks in [&["one\ntwo\r\n\nend"][..], &["on", "e\ntw", "o\r", "\n", "\ne", "nd"]] {
            let chunks: Vec<_> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
            assert_eq!(split(&chunks), [b"one".to_vec(), b"two".to_vec(), b"".to_vec(), b"end".to_vec()]);
        }
    }

    #[test]
    fn a_long_line_is_cut_into_bounded_pieces() {
        let long = vec![b'x'; LINE_LIMIT * 2 + 5];
        let lines = split(&[&long, b"\nnext\n"]);
        assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [LINE_LIMIT, LINE_LIMIT, 5, 4]);
    }

    #[test]
    fn the_tail_is_bounded_in_lines_and_in_bytes() {
        let line = |text: String| Line { stream: Stream::Out, text };
        let mut tail = Tail::default();
        (0..500).for_each(|number| tail.push(line(number.to_string())));
        assert_eq!(tail.lines().len(), TAIL_LINES);
        assert_eq!(tail.lines().last().unwrap().text, "499");
        (0..10).for_each(|_| tail.push(line("y".repeat(LINE_LIMIT))));
        assert!(tail.bytes <= TAIL_BYTES && tail.lines().len() == TAIL_BYTES / LINE_LIMIT);
    }

    #[test]
    fn frames_survive_the_pipe() {
        let framed = frame(Stream::Err, b"p 12");
        let line = Line { stream: Stream::Err, text: "p 12".to_owned() };
        assert_eq!(parse_frame(framed.strip_suffix(b"\n").unwrap()), Some(Frame::Line(line)));
        assert_eq!(parse_frame(b"p 4711"), Some(Frame::Started(4711)));
        assert_eq!(parse_frame(b"something else"), None);
        assert_eq!(parse_frame(b""), None);
    }
}
