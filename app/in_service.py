"""The one model in service of this process: the server and the page share it."""

from app.live import Live
from app.settings import Settings

live = Live(Settings.from_environment())
