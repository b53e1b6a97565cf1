//! A Python with other people's libraries, for tests that have another language judge what Kuzet wrote.

use crate::harness::in_repository;
use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

/// A Python with what `requirements`, a file of the repository, lists: made once in the folder `name` below the target folder.
pub fn prepare(name: &str, requirements: &str) -> Result<PathBuf, String> {
    let requirements = in_repository(requirements);
    let wanted = fs::read(&requirements).map_err(|error| error.to_string())?;
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_kuzet"));
    let folder = binary.parent().and_then(|profile| profile.parent()).ok_or("no target folder")?.join(name);
    let python = folder.join("bin/python");
    let done = folder.join("requirements.txt");
    if fs::read(&done).is_ok_and(|had| had == wanted) {
        return Ok(python);
    }
    let run = |command: &mut Command| match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned()),
        Err(error) => Err(error.to_string()),
    };
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements))?;
    fs::write(done, wanted).map_err(|error| error.to_string())?;
    Ok(python)
}
