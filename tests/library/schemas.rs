//! The committed JSON Schemas are those of the types.

use mass_change_owner_status::schema;
use std::fs;
use std::path::Path;

#[test]
fn the_committed_schemas_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for (name, schema) in schema::documents() {
        let path = folder.join(format!("{name}.schema.json"));
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        // `make schemas` sets it.
        if std::env::var_os("WRITE_SCHEMAS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "{name}: run `make schemas`");
    }
}
