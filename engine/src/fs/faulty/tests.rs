//! What a disk that fails does, on small scripts.

use std::collections::BTreeSet;

use super::*;

#[test]
fn what_was_not_synced_may_be_lost_torn_or_kept() {
    let mut seen = BTreeSet::new();
    for seed in 0..256 {
        let fs = FaultFs::new();
        let mut file = fs.create(Path::new("/a")).unwrap();
        file.append(b"ab").unwrap();
        file.sync().unwrap();
        fs.sync_dir(Path::new("/")).unwrap();
        file.append(b"cd").unwrap();
        file.append(b"ef").unwrap();
        fs.crash(seed);
        assert!(file.append(b"").is_err(), "a handle from before the crash");
        seen.insert(fs.read(Path::new("/a")).unwrap());
    }
    for fate in [&b"ab"[..], b"abc", b"abcd", b"abcdef", b"ab\0\0ef"] {
        assert!(seen.contains(fate), "{fate:?} never happened");
    }
    assert!(seen.iter().all(|content| content.starts_with(b"ab")));
}

#[test]
fn a_name_is_lost_without_a_sync_of_its_directory_and_of_those_above() {
    let fs = FaultFs::new();
    fs.create_dirs(Path::new("/d")).unwrap();
    fs.create(Path::new("/d/a")).unwrap().sync().unwrap();
    fs.sync_dir(Path::new("/d")).unwrap();
    fs.crash(0);
    assert_eq!(fs.list(Path::new("/")).unwrap(), Vec::<String>::new());
    fs.create_dirs(Path::new("/d")).unwrap();
    fs.create(Path::new("/d/a")).unwrap();
    fs.sync_dir(Path::new("/d")).unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    fs.crash(0);
    assert_eq!(fs.list(Path::new("/d")).unwrap(), ["a"]);
}

#[test]
fn threads_may_create_the_same_directories_at_once() {
    let fs = FaultFs::new();
    let create = || {
        for number in 0..2_000 {
            fs.create_dirs(&Path::new("/d").join(number.to_string()).join("e")).unwrap();
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(create))));
    assert_eq!(fs.list(Path::new("/d/1999")).unwrap(), ["e"]);
}

#[test]
fn a_sync_after_a_failed_one_claims_success_without_the_data() {
    let fs = FaultFs::new();
    let mut file = fs.create(Path::new("/a")).unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    file.append(b"lost").unwrap();
    fs.fail_at(fs.operations(), Fault::FailedSync);
    assert!(file.sync().is_err());
    assert!(file.sync().is_ok());
    assert_eq!(fs.read(Path::new("/a")).unwrap(), b"lost");
    fs.crash(0);
    assert_eq!(fs.read(Path::new("/a")).unwrap(), b"");
}

#[test]
fn a_full_disk_takes_a_part_and_goes_on_when_there_is_room() {
    let fs = FaultFs::new();
    let mut file = fs.create(Path::new("/a")).unwrap();
    fs.set_space(Some(3));
    assert_eq!(file.append(b"abcd").unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.length().unwrap(), 2);
    fs.set_space(None);
    file.append(b"ef").unwrap();
    assert_eq!(fs.read(Path::new("/a")).unwrap(), b"abef");
}

#[test]
fn neither_create_nor_link_overwrites() {
    let fs = FaultFs::new();
    fs.create(Path::new("/a")).unwrap();
    fs.create(Path::new("/b")).unwrap();
    assert_eq!(fs.create(Path::new("/a")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs.link(Path::new("/a"), Path::new("/b")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert!(fs.rename(Path::new("/a"), Path::new("/b")).is_ok());
    assert_eq!(fs.list(Path::new("/")).unwrap(), ["b"]);
}

#[test]
fn only_an_empty_directory_is_removed() {
    let fs = FaultFs::new();
    fs.create_dirs(Path::new("/d")).unwrap();
    fs.create(Path::new("/d/a")).unwrap();
    assert_eq!(fs.remove_dir(Path::new("/d")).unwrap_err().kind(), io::ErrorKind::DirectoryNotEmpty);
    fs.remove(Path::new("/d/a")).unwrap();
    fs.remove_dir(Path::new("/d")).unwrap();
    assert_eq!(fs.remove_dir(Path::new("/d")).unwrap_err().kind(), io::ErrorKind::NotFound);
}
