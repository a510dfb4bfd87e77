//! `profile`: the life of a profile, and profiles of the reference.

use crate::place::Place;

#[test]
fn a_profile_is_created_used_renamed_and_deleted() {
    let place = Place::new();
    place.run(&["profile", "populate-defaults"]).ok();
    place.run(&["profile", "create", "office", "--from", "local"]).ok();
    assert_eq!(place.run(&["profile", "inspect", "office"]).ok(), "TIDEGATE_API_URL=http://127.0.0.1:4200/api\n");
    place.run(&["profile", "use", "office"]).ok();
    assert!(place.run(&["profile", "delete", "office"]).fails(1).contains("profile `office` is active"));
    place.run(&["profile", "rename", "office", "bureau"]).ok();
    let listed: serde_json::Value = serde_json::from_str(&place.run(&["profile", "ls", "-o", "json"]).ok()).unwrap();
    let names: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["active"].as_bool().unwrap()))
        .collect();
    assert_eq!(names, [("default", false), ("local", false), ("bureau", true)]);
    place.run(&["profile", "use", "local"]).ok();
    place.run(&["profile", "delete", "bureau"]).ok();
    let stderr = place.run(&["profile", "use", "bureau"]).fails(1);
    assert_eq!(stderr, "error: profile `bureau` was not found\nhint: `tidegate profile ls` shows what there is\n");
}

#[test]
fn profiles_of_the_reference_are_listed_and_can_be_used_without_changing_its_file() {
    let place = Place::with_own_server();
    let theirs = "active = \"cloud\"\n\n[profiles.cloud]\nPREFECT_API_URL = \"http://127.0.0.1:9/cloud\"\n\n[profiles.other]\nPREFECT_API_URL = \"http://127.0.0.1:9/other\"\n";
    place.write("user/.prefect/profiles.toml", theirs);
    assert!(place.run(&["flow", "ls"]).fails(1).contains("http://127.0.0.1:9/cloud"));
    place.run(&["profile", "use", "other"]).ok();
    assert!(place.run(&["flow", "ls"]).fails(1).contains("http://127.0.0.1:9/other"));
    assert!(place.run(&["-p", "cloud", "flow", "ls"]).fails(1).contains("http://127.0.0.1:9/cloud"));
    assert!(place.run(&["flow", "ls", "--profile", "cloud"]).fails(1).contains("http://127.0.0.1:9/cloud"));
    assert_eq!(place.read("user/.prefect/profiles.toml"), theirs);
    assert!(place.run(&["flow", "ls", "--profile", "nobody"]).fails(1).contains("profile `nobody` does not exist"));
}

#[test]
fn a_profile_can_be_copied_from_the_reference_s() {
    let place = Place::new();
    place.write("user/.prefect/profiles.toml", "[profiles.team]\nPREFECT_API_KEY = \"k\"\n");
    place.run(&["profile", "create", "mine", "--from", "team"]).ok();
    assert_eq!(place.run(&["profile", "inspect", "mine"]).ok(), "PREFECT_API_KEY=********\n");
    assert!(place.read("user/.tidegate/profiles.toml").contains("PREFECT_API_KEY = \"k\""));
}
