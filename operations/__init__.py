"""Operations of people and schedules, shared by command line, console and API."""
