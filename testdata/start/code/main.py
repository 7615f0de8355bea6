def handle(event, context):
    return {"hello": event.get("name", "world")}
