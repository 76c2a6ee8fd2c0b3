"""Signs as an AWS customer does: with botocore's CloudFrontSigner.

sign.py KEY_FILE KEY_ID canned URL EPOCH
sign.py KEY_FILE KEY_ID custom RESOURCE EPOCH [--ip CIDR] [--after EPOCH] [--url URL] [--cookies]
Prints a URL, or with --cookies three `name=value` lines.
"""
import argparse
import datetime

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("key_file")
    parser.add_argument("key_id")
    parser.add_argument("kind", choices=["canned", "custom"])
    parser.add_argument("resource")
    parser.add_argument("epoch", type=int)
    parser.add_argument("--ip")
    parser.add_argument("--after", type=int)
    parser.add_argument("--url")
    parser.add_argument("--cookies", action="store_true")
    args = parser.parse_args()

    with open(args.key_file, "rb") as file:
        key = serialization.load_pem_private_key(file.read(), password=None)
    signer = CloudFrontSigner(args.key_id, lambda it: key.sign(it, padding.PKCS1v15(), hashes.SHA1()))

    def when(epoch):
        return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc) if epoch else None

    if args.kind == "canned":
        print(signer.generate_presigned_url(args.resource, date_less_than=when(args.epoch)))
        return
    policy = signer.build_policy(args.resource, when(args.epoch), when(args.after), args.ip)
    if not args.cookies:
        print(signer.generate_presigned_url(args.url or args.resource, policy=policy))
        return
    # botocore signs URLs only; its own encoding makes the cookies.
    query = signer.generate_presigned_url("https://x/", policy=policy).split("?", 1)[1]
    for pair in query.split("&"):
        print("CloudFront-" + pair)


main()
