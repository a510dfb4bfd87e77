//! What a command says: data to stdout, everything else to stderr; tables for people, JSON for programs.
//! Refuses to know any noun.

use std::io::{self, BufRead, IsTerminal, Write};

use anstream::AutoStream;
use anstream::ColorChoice;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tidegate_core::state::StateType;
use tidegate_core::time::Timestamp;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

pub struct Style {
    pub format: Format,
    pub quiet: bool,
    pub colour: Colour,
    /// Fit tables to the terminal.
    pub wraps: bool,
    /// Ask before destroying; `None` asks when a person is there.
    pub prompts: Option<bool>,
}

pub struct Out {
    stdout: AutoStream<io::Stdout>,
    stderr: AutoStream<io::Stderr>,
    style: Style,
    pub now: Timestamp,
}

impl Out {
    pub fn new(style: Style, now: Timestamp) -> Self {
        let choice = match style.colour {
            Colour::Auto => ColorChoice::Auto,
            Colour::Always => ColorChoice::Always,
            Colour::Never => ColorChoice::Never,
        };
        Self {
            stdout: AutoStream::new(io::stdout(), choice),
            stderr: AutoStream::new(io::stderr(), choice),
            style,
            now,
        }
    }

    pub fn is_json(&self) -> bool {
        self.style.format == Format::Json
    }

    pub fn has_colour(&self) -> bool {
        !matches!(self.stdout.current_choice(), ColorChoice::Never)
    }

    /// A line of data.
    pub fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.stdout, "{}", text.as_ref())
    }

    pub fn json(&mut self, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
        writeln!(self.stdout, "{text}")
    }

    /// A remark that is no data.
    pub fn note(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        if self.style.quiet { Ok(()) } else { writeln!(self.stderr, "{}", text.as_ref()) }
    }

    /// A remark that `--quiet` does not silence.
    pub fn warn(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.stderr, "warning: {}", text.as_ref())
    }

    /// Items as JSON, or as a table with these columns; says so when there are none.
    pub fn items<T: Serialize>(
        &mut self,
        items: &[T],
        what: &str,
        columns: &[&str],
        row: impl Fn(&T, &Self) -> Vec<Cell>,
    ) -> io::Result<()> {
        if self.is_json() {
            return self.json(items);
        }
        if items.is_empty() {
            return self.note(format!("No {what} found."));
        }
        let mut table = self.table();
        table.set_header(columns.iter().map(|column| Cell::new(column).add_attribute(Attribute::Bold)));
        for item in items {
            table.add_row(row(item, self));
        }
        self.print(&mut table)
    }

    /// One item as JSON, or as names and values below each other; absent values are left out.
    pub fn item<T: Serialize>(&mut self, item: &T, fields: Vec<(&str, Option<String>)>) -> io::Result<()> {
        if self.is_json() {
            return self.json(item);
        }
        let mut table = self.table();
        for (name, value) in fields {
            if let Some(value) = value {
                table.add_row([Cell::new(name).add_attribute(Attribute::Bold), Cell::new(value)]);
            }
        }
        self.print(&mut table)
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        let is_terminal = io::stdout().is_terminal();
        let fits = self.style.wraps && is_terminal;
        table.set_content_arrangement(if fits { ContentArrangement::Dynamic } else { ContentArrangement::Disabled });
        if self.has_colour() {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table
    }

    fn print(&mut self, table: &mut Table) -> io::Result<()> {
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for line in table.to_string().lines() {
            writeln!(self.stdout, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// How long ago or in how long, for tables.
    pub fn relative(&self, time: Option<Timestamp>) -> Cell {
        Cell::new(time.map(|time| relative(time, self.now)).unwrap_or_default())
    }

    /// A bar of so many steps; nothing where nobody sees it.
    pub fn progress(&self, steps: u64) -> Progress {
        let bar = ProgressBar::with_draw_target(
            Some(steps),
            if self.style.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() },
        );
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
            bar.set_style(style);
        }
        Progress(bar)
    }

    /// Whether to go on with something that cannot be undone. Where nobody can answer, it goes on: the command was
    /// given.
    pub fn confirm(&mut self, question: &str) -> io::Result<bool> {
        let asks = self.style.prompts.unwrap_or_else(|| io::stdin().is_terminal() && io::stderr().is_terminal());
        if !asks {
            return Ok(true);
        }
        write!(self.stderr, "{question} [y/N] ")?;
        self.stderr.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        let agrees = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
        if !agrees {
            writeln!(self.stderr, "Nothing was changed.")?;
        }
        Ok(agrees)
    }
}

/// How far something long has come, on a terminal.
pub struct Progress(ProgressBar);

impl Progress {
    /// What it is at.
    pub fn at(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    pub fn step(&self) {
        self.0.inc(1);
    }

    /// Takes it off the screen.
    pub fn done(&self) {
        self.0.finish_and_clear();
    }
}

/// `5m ago`, `in 2h`: the largest unit only.
pub fn relative(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.seconds_since(time);
    let length = span(seconds.abs());
    match seconds {
        seconds if seconds.abs() < 1.0 => "now".to_owned(),
        seconds if seconds > 0.0 => format!("{length} ago"),
        _ => format!("in {length}"),
    }
}

/// A length of time in its largest unit, rounded.
pub fn span(seconds: f64) -> String {
    let of = |unit: f64| (seconds / unit).round() as u64;
    match seconds {
        seconds if seconds < 1.0 => format!("{seconds:.2}s"),
        _ if of(1.0) < 60 => format!("{}s", of(1.0)),
        _ if of(60.0) < 60 => format!("{}m", of(60.0)),
        _ if of(3_600.0) < 24 => format!("{}h", of(3_600.0)),
        _ => format!("{}d", of(86_400.0)),
    }
}

/// How long something took: with more detail than `span`.
pub fn took(seconds: f64) -> String {
    let whole = seconds as u64;
    match whole {
        0..=59 => format!("{seconds:.1}s"),
        60..=3_599 => format!("{}m {}s", whole / 60, whole % 60),
        _ => format!("{}h {}m", whole / 3_600, whole % 3_600 / 60),
    }
}

/// A state's name in the colour of its type.
pub fn state_cell(kind: Option<StateType>, name: Option<&str>) -> Cell {
    let text = name.or(kind.map(StateType::default_name)).unwrap_or_default();
    let cell = Cell::new(text);
    match kind {
        Some(StateType::Completed) => cell.fg(Color::Green),
        Some(StateType::Failed | StateType::Crashed) => cell.fg(Color::Red),
        Some(StateType::Running) => cell.fg(Color::Blue),
        Some(StateType::Scheduled | StateType::Paused | StateType::Pending) => cell.fg(Color::Yellow),
        Some(StateType::Cancelled | StateType::Cancelling) => cell.fg(Color::DarkGrey),
        None => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_their_largest_unit() {
        let now = Timestamp::parse("2026-01-02T00:00:00Z").unwrap();
        for (seconds, text) in [
            (0.5, "now"),
            (-5.0, "5s ago"),
            (-119.0, "2m ago"),
            (7_199.0, "in 2h"),
            (86_300.0, "in 1d"),
            (-172_800.0, "2d ago"),
        ] {
            assert_eq!(relative(now.plus_seconds(seconds), now), text);
        }
        assert_eq!((took(5.25), took(61.0), took(3_725.0)), ("5.2s".into(), "1m 1s".into(), "1h 2m".into()));
    }
}
