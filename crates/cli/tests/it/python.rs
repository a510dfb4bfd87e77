//! Commands that the Python SDK carries out: which interpreter gets which arguments and settings. A script stands for it.

use serde_json::json;

use crate::place::Place;

/// Notes its arguments, but for the program that it is given, and one setting.
const NOTES: &str = r#"shift 2; echo "$PREFECT_API_URL: $*" > "$HOME/seen""#;

#[test]
fn tasks_are_served_by_the_chosen_interpreter() {
    let place = Place::new();
    let python = place.write_program("python", NOTES);
    let serve = |arguments: &[&str]| {
        let all: Vec<&str> = ["task", "serve", "--python", &python].iter().chain(arguments).copied().collect();
        place.run(&all)
    };
    assert_eq!(serve(&["a.py:one", "b/c.py:two", "--limit", "3"]).code, 0);
    assert_eq!(place.read("user/seen"), "http://127.0.0.1:9/api: 3 file a.py:one b/c.py:two\n");
    assert_eq!(serve(&["--module", "my.tasks", "-m", "more"]).code, 0);
    assert_eq!(place.read("user/seen"), "http://127.0.0.1:9/api: 10 module my.tasks more\n");
    assert!(serve(&[]).fails(2).contains("hint: give `path/to/file.py:task`"));
    assert!(serve(&["nothing"]).fails(2).contains("`nothing` is not of the form path/to/file.py:task"));
    assert!(serve(&["a.py:one", "-m", "more"]).fails(2).contains("cannot be used with"));
    // Its exit code is ours.
    place.write_program("python", "exit 7");
    assert_eq!(serve(&["a.py:one"]).code, 7);
    let missing = place.run(&["task", "serve", "a.py:one", "--python", "./nowhere"]).fails(1);
    assert!(missing.starts_with("error: cannot start Python `./nowhere`"), "{missing}");
}

#[test]
fn block_types_of_a_module_are_registered_by_the_active_environment() {
    let place = Place::new();
    let answer = r#"[{"slug": "door", "name": "Door"}]"#;
    place.write_program("env/bin/python", &format!("{NOTES}; echo imported; echo; echo '{answer}'"));
    let folder = place.path("env").to_str().unwrap().to_owned();
    let place = place.variable("VIRTUAL_ENV", &folder);
    let told = place.run(&["block", "register", "-m", "my.blocks", "-o", "json"]).ok();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&told).unwrap(), json!([{ "slug": "door", "name": "Door" }]));
    assert_eq!(place.read("user/seen"), "http://127.0.0.1:9/api: module my.blocks\n");
    place.write("work/blocks.py", "");
    assert_eq!(place.run(&["block", "register", "-f", "blocks.py"]).ok(), "Slug  Name\ndoor  Door\n");
    assert_eq!(place.read("user/seen"), "http://127.0.0.1:9/api: file blocks.py\n");

    assert!(place.run(&["block", "register", "-f", "blocks.txt"]).fails(2).contains("is no Python file"));
    assert!(place.run(&["block", "register", "-f", "absent.py"]).fails(1).contains("there is no file"));
    assert_eq!(place.run(&["block", "register"]).code, 2);
    place.write_program("env/bin/python", "echo '[]'");
    assert!(place.run(&["block", "register", "-m", "empty"]).fails(1).contains("there are no block types in `empty`"));
    place.write_program("env/bin/python", "exit 3");
    assert!(place.run(&["block", "register", "-m", "broken"]).fails(1).contains("ended with exit status: 3"));
}
