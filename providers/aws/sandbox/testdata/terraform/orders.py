import os


def handle(event, context):
    return {"colour": os.environ.get("COLOUR", ""), "edition": EDITION, "version": context.function_version}


EDITION = 1
