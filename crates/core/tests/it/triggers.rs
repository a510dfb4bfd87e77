//! Windows of triggers, step by step, and what no sequence of events may break.

use proptest::prelude::*;
use tidegate_core::{
    time::Timestamp,
    triggers::{Needs, Posture, Role, Step, Terms, Window},
};
use uuid::Uuid;

const COUNTS: Role = Role { starts: false, counts: true };
const STARTS: Role = Role { starts: true, counts: false };
const BOTH: Role = Role { starts: true, counts: true };

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000).unwrap().plus_seconds(seconds)
}

fn reactive(threshold: i64, within: f64) -> Terms {
    Terms { posture: Posture::Reactive, threshold, within, waits_for_start: false }
}

fn proactive(threshold: i64, within: f64) -> Terms {
    Terms { posture: Posture::Proactive, threshold, within, waits_for_start: true }
}

/// Hands events to a trigger; answers at which of them it fired.
fn fired(terms: &Terms, events: &[(f64, Role)]) -> Vec<f64> {
    let mut window = None;
    let mut out = Vec::new();
    for (seconds, role) in events {
        let step = terms.observe(window, at(*seconds), *role);
        window = step.window;
        if step.fires {
            out.push(*seconds);
        }
    }
    out
}

#[test]
fn a_reactive_trigger_without_a_window_fires_at_each_event() {
    assert_eq!(fired(&reactive(1, 0.0), &[(0.0, COUNTS), (1.0, COUNTS), (1.0, COUNTS)]), [0.0, 1.0, 1.0]);
    assert_eq!(
        fired(&reactive(2, 0.0), &[(0.0, COUNTS), (50.0, COUNTS), (90.0, COUNTS), (99.0, COUNTS)]),
        [50.0, 99.0]
    );
}

#[test]
fn a_reactive_trigger_fires_once_in_a_window() {
    let terms = reactive(2, 10.0);
    let events = [0.0, 1.0, 2.0, 3.0, 12.0, 13.0].map(|seconds| (seconds, COUNTS));
    assert_eq!(fired(&terms, &events), [1.0, 13.0]);
}

#[test]
fn events_out_of_order_count_in_the_first_window() {
    assert_eq!(fired(&reactive(3, 10.0), &[(5.0, COUNTS), (2.0, COUNTS), (-60.0, COUNTS)]), [-60.0]);
    assert_eq!(fired(&reactive(2, 10.0), &[(0.0, COUNTS), (-3600.0, COUNTS)]), [0.0; 0]);
}

#[test]
fn an_event_of_a_later_window_can_fire_it_at_once() {
    assert_eq!(fired(&reactive(1, 10.0), &[(0.0, COUNTS), (100.0, COUNTS)]), [0.0, 100.0]);
}

#[test]
fn only_a_beginning_opens_the_window_of_a_trigger_that_waits_for_one() {
    let terms = Terms { waits_for_start: true, ..reactive(1, 10.0) };
    assert_eq!(fired(&terms, &[(0.0, COUNTS), (1.0, STARTS), (2.0, COUNTS), (3.0, COUNTS)]), [2.0]);
    // What both opens and counts does not count in the window that it opens.
    assert_eq!(fired(&terms, &[(0.0, BOTH), (1.0, BOTH)]), [1.0]);
}

#[test]
fn a_proactive_trigger_fires_when_its_window_is_over_and_too_little_came() {
    let terms = proactive(1, 30.0);
    let window = terms.observe(None, at(0.0), STARTS).window.unwrap();
    assert!(!terms.elapse(window, at(29.0)).fires);
    let Step { fires, window: next, .. } = terms.elapse(window, at(30.0));
    assert!(fires);
    assert_eq!(next, None, "it waits for the next beginning");
    let window = terms.observe(Some(window), at(10.0), COUNTS).window.unwrap();
    assert!(!terms.elapse(window, at(30.0)).fires);
}

#[test]
fn a_heartbeat_that_comes_in_time_begins_the_wait_anew() {
    let terms = proactive(1, 30.0);
    let window = terms.observe(None, at(0.0), BOTH).window;
    let window = terms.observe(window, at(20.0), BOTH).window.unwrap();
    assert_eq!((window.start, window.end, window.count), (at(20.0), at(50.0), 0));
    assert!(!terms.elapse(window, at(49.0)).fires);
    assert!(terms.elapse(window, at(50.0)).fires);
}

#[test]
fn windows_follow_each_other_where_nothing_has_to_open_them() {
    let terms = Terms { waits_for_start: false, ..proactive(1, 30.0) };
    let window = terms.window_from(at(0.0));
    let step = terms.elapse(window, at(31.0));
    assert!(step.fires);
    assert_eq!(step.window, Some(Window { start: at(31.0), end: at(61.0), count: 0 }));
}

#[test]
fn parts_are_needed_in_number_or_in_order() {
    let ids = [1, 2, 3].map(Uuid::from_u128);
    let fired = |order: &[(usize, f64)]| order.iter().map(|(part, time)| (ids[*part], at(*time))).collect::<Vec<_>>();
    assert!(Needs::Some(2).are_met(&fired(&[(2, 0.0), (0, 1.0)])));
    assert!(!Needs::Some(3).are_met(&fired(&[(2, 0.0), (0, 1.0)])));
    let in_order = Needs::InOrder(ids.to_vec());
    assert!(in_order.are_met(&fired(&[(2, 3.0), (0, 1.0), (1, 2.0)])));
    assert!(!in_order.are_met(&fired(&[(2, 1.0), (0, 2.0), (1, 3.0)])));
    assert!(!in_order.are_met(&fired(&[(0, 1.0), (1, 2.0)])));
}

proptest! {
    /// Whatever comes in whatever order, a reactive trigger fires at most once for each `threshold` events.
    #[test]
    fn no_event_counts_twice(
        threshold in 1_i64..5,
        within in prop_oneof![Just(0.0), 1.0..100.0],
        waits in any::<bool>(),
        events in prop::collection::vec((0.0_f64..1000.0, any::<bool>(), any::<bool>()), 0..60),
    ) {
        let terms = Terms { waits_for_start: waits, ..reactive(threshold, within) };
        let events: Vec<(f64, Role)> = events
            .into_iter()
            .map(|(seconds, starts, counts)| (seconds, Role { starts: starts && waits, counts }))
            .collect();
        let counting = events.iter().filter(|(_, role)| role.counts).count() as i64;
        prop_assert!(fired(&terms, &events).len() as i64 <= counting / threshold);
    }

    /// A window that is open lies within its length, and one that nothing fired has no more events than it may have.
    #[test]
    fn windows_keep_their_length(
        within in 1.0_f64..100.0,
        events in prop::collection::vec((0.0_f64..1000.0, any::<bool>()), 1..60),
    ) {
        let terms = Terms { waits_for_start: true, ..reactive(2, within) };
        let mut window = None;
        for (seconds, starts) in events {
            window = terms.observe(window, at(seconds), Role { starts, counts: true }).window;
            if let Some(window) = window {
                prop_assert!((window.end.seconds_since(window.start) - within).abs() < 0.001);
                prop_assert!(window.count < 2);
            }
        }
    }
}
