# Signs with the library named by the first argument. One JSON object a line: secret, id, timestamp, body; gives the header's
# value. It knows nothing of how a signature is made.
import datetime
import importlib
import json
import sys

webhooks = importlib.import_module({"standardwebhooks": "standardwebhooks", "svix": "svix.webhooks"}[sys.argv[1]])
for line in sys.stdin:
    message = json.loads(line)
    signed_at = datetime.datetime.fromtimestamp(message["timestamp"], tz=datetime.timezone.utc)
    print(webhooks.Webhook(message["secret"]).sign(message["id"], signed_at, message["body"]), flush=True)
