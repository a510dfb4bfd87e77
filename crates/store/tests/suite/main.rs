//! The store's suite: every test runs on SQLite and on PostgreSQL, each in a database of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod artifacts;
mod automations;
mod commits;
mod databases;
mod due_runs;
mod histories;
mod log_search;
mod migrations;
mod pages;
mod pools;
mod retention;
mod task_queue;
mod variables;

/// Stamps out every named test for both databases.
macro_rules! store_suite {
    ($($module:ident: $($test:ident),* $(,)?;)*) => {
        mod on_sqlite {
            $(mod $module {
                $(#[tokio::test]
                async fn $test() {
                    let database = crate::databases::sqlite().await;
                    crate::$module::$test(&database).await;
                })*
            })*
        }
        mod on_postgres {
            $(mod $module {
                $(#[tokio::test]
                async fn $test() {
                    let database = crate::databases::postgres().await;
                    crate::$module::$test(&database).await;
                })*
            })*
        }
    };
}

store_suite! {
    pools: a_new_pool_has_a_default_queue_and_waits_for_a_worker, a_name_is_taken_once, priorities_stay_unique,
        a_heartbeat_makes_a_pool_ready_and_silence_ends_it, a_poll_makes_queues_ready_for_a_minute,
        deleting_a_pool_takes_its_queues_and_workers, pauses_show_in_the_status,
        a_status_follows_the_one_before_it, queues_without_a_pool_share_one;
    due_runs: come_by_priority_and_then_by_time, respect_limits_of_queue_and_pool, of_paused_queues_and_pools_wait,
        that_wait_in_their_own_process_are_nobody_elses, may_be_asked_for_by_time_and_queue;
    histories: count_runs_by_span_and_state, look_at_all_task_runs_of_a_filter, ends_fall_into_the_span_of_their_start,
        the_next_run_of_a_flow_is_the_earliest_that_waits;
    log_search: finds_what_a_look_at_every_record_finds, believes_no_block_whose_records_moved;
    task_queue: hands_out_each_run_once_and_retries_first, gives_back_what_nobody_acknowledged,
        forgets_runs_that_do_not_wait_any_more;
    variables: hold_any_value_under_one_name, are_changed_and_deleted_by_id_or_name, are_found_by_name_and_tags,
        with_nul_in_them_are_found_again;
    commits: one_that_fails_takes_nothing_from_its_neighbours, one_that_fails_wakes_nobody,
        a_lost_race_is_judged_by_what_is_so_now;
    retention: drops_the_weeks_that_are_over_and_no_others, deletes_old_rows_that_have_no_week,
        lets_finished_runs_go_and_keeps_the_others;
    pages: of_flow_runs_have_each_run_once, of_task_runs_have_each_run_once;
    artifacts: the_latest_of_a_key_moves_with_it, a_change_reaches_the_latest, are_found_by_their_run;
}
