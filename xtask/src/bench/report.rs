//! What was measured, kept by what and who, and shown as a table of medians and as JSON.

use std::{collections::BTreeMap, path::Path};

use comfy_table::{Cell, CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use serde_json::{Value, json};

use super::{now, products::Product, starts::median};

/// Which way is better.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Better {
    More,
    Less,
}

/// One line of the table.
pub struct Line {
    pub name: String,
    pub unit: &'static str,
    pub better: Better,
}

/// What Tidegate has to reach, and what each product reached in each round.
#[derive(Default)]
struct Values {
    goal: Option<f64>,
    reached: BTreeMap<Product, Vec<f64>>,
}

#[derive(Default)]
pub struct Report {
    /// In the order in which they were measured first.
    lines: Vec<(Line, Values)>,
}

impl Report {
    pub fn add(&mut self, product: Product, line: Line, goal: Option<f64>, value: f64) {
        println!("  {:<10} {:<44} {:>12} {}", product.name(), line.name, number(value), line.unit);
        let known = self.lines.iter().position(|(known, _)| known.name == line.name);
        let known = known.unwrap_or_else(|| {
            self.lines.push((line, Values::default()));
            self.lines.len() - 1
        });
        let values = &mut self.lines[known].1;
        values.goal = goal;
        values.reached.entry(product).or_default().push(value);
    }

    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header(["what", "unit", "reference", "tidegate", "better by", "goal", "reached"]);
        for (line, values) in &self.lines {
            let [reference, tidegate] = Product::ALL.map(|product| values.middle(product));
            let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
            let ratio = line.ratio(reference, tidegate).map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.1}×"));
            let reached = line.reached(values.goal, tidegate).map_or("", |reached| if reached { "yes" } else { "no" });
            let goal = values.goal.map(number).unwrap_or_default();
            let numbers = [shown(reference), shown(tidegate), ratio, goal, reached.to_owned()];
            let cells = numbers.into_iter().map(|text| Cell::new(text).set_alignment(CellAlignment::Right));
            table.add_row([Cell::new(&line.name), Cell::new(line.unit)].into_iter().chain(cells));
        }
        table
    }

    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let lines = self.lines.iter().map(|(line, values)| {
            let [reference, tidegate] = Product::ALL.map(|product| values.middle(product));
            json!({
                "what": line.name,
                "unit": line.unit,
                "better": if line.better == Better::More { "more" } else { "less" },
                "reference": { "median": reference, "rounds": values.reached.get(&Product::Reference) },
                "tidegate": { "median": tidegate, "rounds": values.reached.get(&Product::Tidegate) },
                "ratio": line.ratio(reference, tidegate),
                "goal": values.goal,
                "reached": line.reached(values.goal, tidegate),
            })
        });
        let report = json!({ "measured": now(), "cores": std::thread::available_parallelism()?.get(),
                             "lines": lines.collect::<Value>() });
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
        Ok(())
    }
}

impl Values {
    fn middle(&self, product: Product) -> Option<f64> {
        self.reached.get(&product).map(|values| median(&mut values.clone()))
    }
}

impl Line {
    fn ratio(&self, reference: Option<f64>, tidegate: Option<f64>) -> Option<f64> {
        let (reference, tidegate) = (reference?, tidegate?);
        Some(if self.better == Better::More { tidegate / reference } else { reference / tidegate })
    }

    fn reached(&self, goal: Option<f64>, value: Option<f64>) -> Option<bool> {
        let (goal, value) = (goal?, value?);
        Some(if self.better == Better::More { value >= goal } else { value <= goal })
    }
}

/// With as many digits as can be told apart.
fn number(value: f64) -> String {
    if value >= 1000.0 {
        let digits = format!("{value:.0}");
        let groups: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
        groups.join(",")
    } else if value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}
