#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

#[test]
fn the_same_files_are_made_each_time() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    prepare(one.path()).unwrap();
    prepare(other.path()).unwrap();
    for name in [
        "crm.csv",
        "shop.ndjson",
        "support.parquet",
        "loyalty.arrow",
        "truth.csv",
    ] {
        let read = |folder: &Path| fs::read(folder.join("data").join(name)).unwrap();
        assert_eq!(read(one.path()), read(other.path()), "{name}");
    }
}

#[test]
fn the_sample_is_about_two_thousand_records_with_a_guest_in_all_systems() {
    let folder = tempfile::tempdir().unwrap();
    let sample = prepare(folder.path()).unwrap();
    let count: usize = sample.counts.iter().map(|(_, count)| count).sum();
    assert!((1_700..2_300).contains(&count), "{count}");
    assert!(sample.guest.len() >= 4);
    let truth = fs::read_to_string(&sample.truth).unwrap();
    assert_eq!(truth.lines().count(), count + 1);
}

#[test]
fn the_settings_of_the_demo_are_good() {
    sameas_resolve::Settings::parse(SETTINGS, Path::new("sameas.toml")).unwrap();
}

#[test]
fn a_folder_with_other_things_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine.txt"), "mine").unwrap();
    let message = prepare(folder.path()).unwrap_err().to_string();
    assert!(message.contains("--dir"), "{message}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Whatever lay in a folder named `data` passed for what an earlier demo had left, and was replaced.
#[test]
fn somebodys_data_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("data/crm.csv");
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(&mine, "mine").unwrap();
    prepare(folder.path()).unwrap_err();
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
}

#[test]
fn settings_that_somebody_changed_stay() {
    let folder = tempfile::tempdir().unwrap();
    let sample = prepare(folder.path()).unwrap();
    fs::write(&sample.settings, "# mine").unwrap();
    prepare(folder.path()).unwrap();
    assert_eq!(fs::read_to_string(&sample.settings).unwrap(), "# mine");
}
