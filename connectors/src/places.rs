//! What a path of a source names, as places: for the job, which must not write there.

use std::fs;
use std::path::Path;

use dualgauge_engine::Place;
use dualgauge_engine::fs::RealFs;

use crate::files::Pattern;

/// How deep links are looked for below a directory.
const DEPTH_MAX: usize = 64;

/// What a source reads that is given this path: a file, a directory with all below it and all that links in it lead to, or
/// what a pattern stands for; `-` is standard input.
pub(crate) fn read_from(path: &Path) -> Vec<Place> {
    if path == Path::new("-") {
        return vec![Place::stdin()];
    }
    // What is no pattern is refused when it is listed.
    if let Some(pattern) = Pattern::of(path).ok().flatten().filter(|_| !path.exists()) {
        let (dir, flat) = (pattern.base.clone(), pattern.is_flat());
        let place = match flat {
            true => Place::named(&RealFs, &dir, move |name| pattern.stands_for(name)),
            false => Place::tree(&RealFs, &dir),
        };
        let mut places = vec![place];
        links(&dir, if flat { DEPTH_MAX } else { 0 }, &mut places);
        return places;
    }
    if !path.is_dir() {
        return vec![Place::file(&RealFs, path)];
    }
    let mut places = vec![Place::tree(&RealFs, path)];
    links(path, 0, &mut places);
    places
}

/// What links below a directory lead to.
fn links(dir: &Path, depth: usize, places: &mut Vec<Place>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_symlink() && entry.path().is_dir() => places.push(Place::tree(&RealFs, entry.path())),
            Ok(kind) if kind.is_symlink() => places.push(Place::file(&RealFs, entry.path())),
            Ok(kind) if kind.is_dir() && depth < DEPTH_MAX => links(&entry.path(), depth + 1, places),
            _ => {}
        }
    }
}
