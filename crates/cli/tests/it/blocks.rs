//! Blocks from the command line: created in place or by a link, of types that are there.

use serde_json::json;

use crate::served::Served;

#[test]
fn blocks_are_created_in_place_or_by_a_link() {
    let served = Served::new();
    served.ok(&["block", "create", "secret", "--name", "door", "--field", "value=sesame"]);
    let block = served.json(&["block", "inspect", "secret/door"]);
    assert_eq!(block["data"], json!({ "value": "********" }));
    let made = served.json(&["block", "create", "secret", "--name", "gate", "--data", r#"{"value": {"a": 1}}"#]);
    assert_eq!((&made["name"], &made["block_type"]["slug"]), (&"gate".into(), &"secret".into()));
    let shown = served.ok(&["block", "type", "inspect", "secret"]);
    assert!(shown.contains("value (needed)"), "{shown}");

    let missing = served.place.run(&["block", "create", "secret", "--name", "none"]).fails(2);
    assert_eq!(
        missing,
        "error: a block of type `secret` needs `value`\nhint: `tidegate block type inspect` shows the fields\n"
    );
    let unknown = served.place.run(&["block", "create", "abacus"]).fails(1);
    assert!(unknown.contains("block type `abacus` was not found"), "{unknown}");
    let lonely = served.place.run(&["block", "create", "secret", "--field", "value=1"]).fails(2);
    assert!(lonely.contains("--name"), "{lonely}");

    let root = served.api_url().strip_suffix("/api").unwrap().to_owned();
    assert_eq!(served.ok(&["block", "create", "secret"]), format!("{root}/blocks/catalog/secret/create\n"));
}

#[test]
fn the_web_ui_is_opened_where_it_is() {
    let served = Served::new();
    let browser = served.place.write_program("browser", r#"echo "$1" > "$HOME/opened""#);
    let place = served.place.variable("BROWSER", &browser).variable("TIDEGATE_UI_URL", "https://ui.example/v2/");
    let done = place.run(&["dashboard", "open"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, "Opened https://ui.example/v2.\n"));
    assert_eq!(place.read("user/opened"), "https://ui.example/v2\n");
    let place = place.variable("BROWSER", "false");
    let failed = place.run(&["dashboard", "open"]).fails(1);
    assert!(failed.contains("no browser could be started for https://ui.example/v2"), "{failed}");
}
