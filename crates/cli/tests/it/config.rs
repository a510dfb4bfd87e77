//! `config`: what is shown, where it comes from, and what is written.

use crate::place::Place;

/// Without the column padding, which depends on the place's path.
fn squeezed(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn view_shows_values_with_their_sources_and_hides_secrets() {
    let place = Place::new().variable("PREFECT_API_KEY", "pnu_secret").variable("PREFECT_LOGGING_LEVEL", "debug");
    place.write("work/tidegate.toml", "[server.database]\nconnection_url = 'postgresql://ada:enigma@db/gate'\n");
    place.write("user/.prefect/profiles.toml", "active = 'team'\n[profiles.team]\nPREFECT_SERVER_API_PORT = '4300'\n");
    let shown = place.run(&["config", "view", "--show-sources"]);
    assert_eq!(
        squeezed(&shown.stdout),
        [
            "Setting Value Source",
            "api.url http://127.0.0.1:9/api env TIDEGATE_API_URL",
            "api.key ******** env PREFECT_API_KEY",
            "logging.level debug env PREFECT_LOGGING_LEVEL",
            "server.api.port 4300 profile team in [PLACE]/user/.prefect/profiles.toml",
            "server.database.connection_url postgresql://ada@db/gate [PLACE]/work/tidegate.toml",
        ]
    );
    assert_eq!(shown.stderr, "Profile: team\n");
    let clear = place.run(&["config", "view", "--show-secrets", "--hide-sources"]).ok();
    assert!(clear.contains("pnu_secret") && clear.contains("enigma") && !clear.contains("env "));
    let json: serde_json::Value = serde_json::from_str(&place.run(&["config", "view", "-o", "json"]).ok()).unwrap();
    assert_eq!(json[1]["name"], "TIDEGATE_API_KEY");
    assert_eq!(json[1]["value"], "********");
}

#[test]
fn set_and_unset_change_the_active_profile_under_any_name_of_a_setting() {
    let place = Place::new();
    let done = place.run(&["config", "set", "PREFECT_CLIENT_MAX_RETRIES=7", "server.api.port=4300"]);
    assert_eq!(
        done.stderr,
        "client.max_retries = 7 in profile `default` (~/.tidegate/profiles.toml)\n\
         server.api.port = 4300 in profile `default` (~/.tidegate/profiles.toml)\n"
    );
    let file = place.read("user/.tidegate/profiles.toml");
    assert!(
        file.contains("TIDEGATE_CLIENT_MAX_RETRIES = \"7\"") && file.contains("TIDEGATE_SERVER_API_PORT = \"4300\"")
    );
    place.run(&["config", "unset", "-y", "PREFECT_CLIENT_MAX_RETRIES"]).ok();
    assert!(!place.read("user/.tidegate/profiles.toml").contains("MAX_RETRIES"));
    assert!(place.run(&["config", "unset", "-y", "client.max_retries"]).fails(1).contains("is not set in profile"));
}

#[test]
fn set_refuses_what_is_no_setting_or_no_value_and_writes_nothing() {
    let place = Place::new();
    let stderr = place.run(&["config", "set", "PREFECT_API_ULR=x"]).fails(2);
    assert_eq!(stderr, "error: `PREFECT_API_ULR` is no setting\nhint: did you mean `PREFECT_API_URL`?\n");
    let stderr = place.run(&["config", "set", "api.url=x", "server.api.port=many"]).fails(2);
    assert_eq!(stderr, "error: setting `server.api.port`: `many` is not a whole number\n");
    assert!(place.run(&["config", "set", "home=/elsewhere"]).fails(2).contains("it cannot be in one"));
    assert!(!place.exists("user/.tidegate/profiles.toml"));
}

#[test]
fn a_profile_of_the_reference_is_written_in_its_own_file_and_names() {
    let place = Place::new();
    let theirs = "user/.prefect/profiles.toml";
    place.write(theirs, "active = \"team\"\n\n[profiles.team]\n# our server\nPREFECT_API_URL = \"http://a/api\"\n");
    place.run(&["config", "set", "client.max_retries=3"]).ok();
    assert_eq!(
        place.read(theirs),
        "active = \"team\"\n\n[profiles.team]\n# our server\nPREFECT_API_URL = \"http://a/api\"\nPREFECT_CLIENT_MAX_RETRIES = \"3\"\n"
    );
    let stderr = place.run(&["config", "set", "logging.format=json"]).fails(1);
    assert!(stderr.contains("`logging.format` is no setting of the reference"), "{stderr}");
}

#[test]
fn validate_names_settings_that_have_no_effect_here() {
    let place = Place::new().variable("PREFECT_MESSAGING_BROKER", "prefect_redis.messaging");
    let done = place.run(&["config", "validate"]);
    assert_eq!(done.code, 0);
    assert!(done.stderr.contains("PREFECT_SERVER_EVENTS_MESSAGING_BROKER is accepted"), "{}", done.stderr);
    let place = Place::new().variable("PREFECT_SERVER_DATABASE_CONNECTION_URL", "mysql://u:secret@h/n");
    let stderr = place.run(&["config", "validate"]).fails(1);
    assert!(stderr.contains("mysql://u@h/n") && !stderr.contains("secret"), "{stderr}");
}
