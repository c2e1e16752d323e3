#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use super::*;

/// `report --output sameas.toml` replaced the settings with a page.
#[test]
fn nothing_that_the_settings_name_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    let text = "[[source]]\nname = \"crm\"\nuri = \"data/*.csv\"\nkey = \"id\"\n[source.fields]\nemail = \"mail\"\n\
                [[compare]]\nfield = \"email\"\n[[block]]\non = [\"email\"]\n";
    let config = base.join("sameas.toml");
    for name in ["data", "graph"] {
        fs::create_dir(base.join(name)).unwrap();
    }
    for name in ["data/crm.csv", "truth.csv", "sameas.model.json"] {
        fs::write(base.join(name), "id,mail\n").unwrap();
    }
    fs::write(&config, text).unwrap();
    let settings = Settings::load(&config).unwrap();
    let truth = base.join("truth.csv");
    let further = [(config.as_path(), "the settings"), (&truth, "the truth")];
    let told = |name: &str| {
        let output = base.join(name);
        refuse_output(&settings, &further, &output).map_err(|error| error.what)
    };
    for (name, what) in [
        ("sameas.toml", "the settings"),
        ("data/../sameas.toml", "the settings"),
        ("truth.csv", "the truth"),
        ("sameas.model.json", "the model"),
        ("sameas.model.key", "the key of the model"),
        ("graph/report.html", "in the folder of the graph"),
        ("data/crm.csv", "a file of source `crm`"),
    ] {
        assert_eq!(told(name), Err(what.to_owned()), "{name}");
    }
    for name in ["report.html", "data/report.html", "nowhere/report.html"] {
        assert_eq!(told(name), Ok(()), "{name}");
    }
}
