//! `server stop`: asks the running server to finish what it has in hand and end, and waits for that.

use super::background;
use super::state::ServerFile;
use crate::out::Out;
use crate::settings::Settings;

pub(super) fn run(settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let file = ServerFile::of(settings);
    let Some(running) = file.read_running() else {
        file.remove()?;
        out.note("No server of yours is running.")?;
        return Ok(());
    };
    background::stop(&running, settings)?;
    file.remove()?;
    out.note(format!("The server at {} has stopped.", running.api_url))?;
    Ok(())
}
