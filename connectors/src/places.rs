//! The places that a source's path names, so that the job does not write there.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use dualgauge_engine::Place;
use dualgauge_engine::fs::RealFs;

use crate::files::Pattern;
use crate::handles::Identity;

/// How deep below a directory links are looked for.
const DEPTH_MAX: usize = 64;

/// What a source with this path reads: a file, a directory with everything below it and everything that links in it
/// lead to, or what a pattern stands for; `-` is standard input.
pub(crate) fn read_from(path: &Path) -> Vec<Place> {
    if path == Path::new("-") {
        return vec![Place::stdin()];
    }
    // An invalid pattern is refused when it is listed.
    if let Some(pattern) = Pattern::of(path).ok().flatten().filter(|_| !path.exists()) {
        let (dir, meaning) = (pattern.base.clone(), pattern.clone());
        let place = match pattern.is_flat() {
            true => Place::named(&RealFs, &dir, move |name| pattern.stands_for(name)),
            false => Place::tree(&RealFs, &dir),
        };
        let mut places = vec![place];
        meant(&dir, "", &meaning, 0, &mut places);
        return places;
    }
    if !path.is_dir() {
        return vec![Place::file(&RealFs, path)];
    }
    let mut places = vec![Place::tree(&RealFs, path)];
    links(path, 0, &mut HashSet::new(), &mut places);
    places
}

/// The directories that a pattern stands for, which are read as a whole, and the targets of the links that it stands
/// for or goes through. Other links are not read, and may lead anywhere.
fn meant(dir: &Path, prefix: &str, pattern: &Pattern, depth: usize, places: &mut Vec<Place>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, own_name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if own_name.starts_with('.') {
            continue; // never data
        }
        let (name, is_link) = (format!("{prefix}{own_name}"), entry.file_type().is_ok_and(|kind| kind.is_symlink()));
        match (path.is_dir(), pattern.stands_for(&name)) {
            (true, true) => {
                places.push(Place::tree(&RealFs, &path));
                links(&path, depth + 1, &mut HashSet::new(), places);
            }
            (true, false) if pattern.goes_below(&own_name, depth) => match is_link {
                true => places.push(Place::tree(&RealFs, &path)),
                false if depth < DEPTH_MAX => meant(&path, &format!("{name}/"), pattern, depth + 1, places),
                false => {}
            },
            (false, true) if is_link => places.push(Place::file(&RealFs, &path)),
            _ => {}
        }
    }
}

/// What links below a directory lead to, and the links within that; each directory that a link leads to is entered
/// once.
fn links(dir: &Path, depth: usize, gone_into: &mut HashSet<Identity>, places: &mut Vec<Place>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_symlink() => match fs::metadata(&path) {
                Ok(there) if there.is_dir() => {
                    places.push(Place::tree(&RealFs, &path));
                    if gone_into.insert(Identity::of(&there)) && depth < DEPTH_MAX {
                        links(&path, depth + 1, gone_into, places);
                    }
                }
                _ => places.push(Place::file(&RealFs, &path)),
            },
            Ok(kind) if kind.is_dir() && depth < DEPTH_MAX => links(&path, depth + 1, gone_into, places),
            _ => {}
        }
    }
}
