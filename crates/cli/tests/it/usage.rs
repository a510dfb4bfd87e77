//! The grammar: version, help, wrong arguments, completion.

use crate::place::Place;

#[test]
fn version_is_one_line_and_needs_nothing() {
    let place = Place::new().variable("TIDEGATE_SERVER_API_PORT", "nonsense");
    place.write("work/tidegate.toml", "this is no TOML");
    for flag in ["--version", "-v", "-V"] {
        assert_eq!(place.run(&[flag]).ok(), format!("tidegate {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn wrong_arguments_are_exit_code_two_and_say_what_is_right() {
    let place = Place::new();
    assert!(place.run(&["nonsense"]).fails(2).contains("unrecognized subcommand 'nonsense'"));
    assert!(place.run(&["gcl", "create", "x"]).fails(2).contains("--limit <LIMIT>"));
    let stderr = place.run(&["gcl", "update", "x"]).fails(2);
    assert_eq!(stderr, "error: nothing to change\nhint: `tidegate gcl update --help`\n");
    assert!(place.run(&["flow-run", "logs", "x", "--num-logs", "3"]).code != 0);
    let stderr = place.run(&["deployment", "run", "just-a-name"]).fails(2);
    assert!(stderr.contains("neither an id nor of the form FLOW/DEPLOYMENT"), "{stderr}");
    let stderr = place.run(&["worker", "start", "--pool", "p", "--type", "ecs"]).fails(2);
    assert!(stderr.contains("workers of type `ecs` are not part of this version"), "{stderr}");
}

#[test]
fn plural_names_and_the_short_ones_mean_the_same_commands() {
    let place = Place::new();
    for (alias, name) in [
        ("flow-runs", "flow-run"),
        ("flows", "flow"),
        ("deployments", "deployment"),
        ("work-pools", "work-pool"),
        ("work-queues", "work-queue"),
        ("task-runs", "task-run"),
        ("variables", "variable"),
        ("automations", "automation"),
        ("blocks", "block"),
        ("events", "event"),
        ("profiles", "profile"),
        ("concurrency-limits", "concurrency-limit"),
        ("gcl", "global-concurrency-limit"),
    ] {
        assert_eq!(place.run(&[alias, "--help"]).ok(), place.run(&[name, "--help"]).ok(), "{alias}");
    }
    assert_eq!(place.run(&["variable", "delete", "--help"]).ok(), place.run(&["variable", "unset", "--help"]).ok());
}

#[test]
fn a_server_that_is_not_there_is_told_with_a_hint() {
    let stderr = Place::new().run(&["flow", "ls"]).fails(1);
    assert!(stderr.starts_with("error: cannot reach the API at http://127.0.0.1:9/api: "), "{stderr}");
    assert!(stderr.contains("\nhint: ") && stderr.contains("`tidegate server start`"), "{stderr}");
}

#[test]
fn shells_get_a_completion_script() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.run(&["completion", shell]).ok();
        assert!(script.contains("work-pool") && script.contains("global-concurrency-limit"), "{shell}");
    }
}

#[test]
fn unknown_variables_of_ours_are_warned_about_and_the_reference_s_are_not() {
    let place = Place::new().variable("TIDEGATE_SERVR_API_PORT", "1").variable("PREFECT__FLOW_RUN_ID", "x");
    let done = place.run(&["config", "view"]);
    assert_eq!(done.code, 0);
    assert!(done.stderr.contains("warning: `TIDEGATE_SERVR_API_PORT` (env TIDEGATE_SERVR_API_PORT) is no setting"));
    assert!(!done.stderr.contains("PREFECT__FLOW_RUN_ID"), "{}", done.stderr);
}

#[test]
fn a_setting_that_cannot_be_read_stops_commands_but_not_those_that_mend_it() {
    let place = Place::new().variable("PREFECT_API_REQUEST_TIMEOUT", "soon");
    let stderr = place.run(&["flow", "ls"]).fails(1);
    assert!(
        stderr.contains("setting `api.request_timeout` (env PREFECT_API_REQUEST_TIMEOUT): `soon` is not a duration")
    );
    assert_eq!(place.run(&["config", "view"]).code, 0);
    assert!(place.run(&["config", "validate"]).fails(1).contains("`soon` is not a duration"));
}
