"""The platform that stands in for Heroku: a small HTTP service that speaks a part of the Platform API."""
