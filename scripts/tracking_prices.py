"""What the tracking server costs a month."""

HOURS = 730.0  # in a month, as AWS counts
DISK = 16  # GB: the disk of infra/mlflow.yaml
STORED = 10  # GB of artifacts, to have a figure

# US dollars, Linux, on demand, without tax, in Ireland; as public price lists had them on the date.
READ = "2026-11-25"
REGION = "eu-west-1"
MACHINES = {"t3.small": 0.0228, "t3.medium": 0.0456, "t3.large": 0.0912}  # an hour
DISK_GB, ADDRESS_HOUR, STORED_GB = 0.088, 0.005, 0.023  # gp3 and S3 Standard: a GB a month
SOURCES = {
    "machine": "https://aws.amazon.com/ec2/pricing/on-demand/",
    "disk": "https://aws.amazon.com/ebs/pricing/",
    "address": "https://aws.amazon.com/vpc/pricing/",
    "bucket": "https://aws.amazon.com/s3/pricing/",
}


def monthly(machine: str) -> dict[str, tuple[str, float]]:
    """Return of each resource what is counted, and US dollars a month."""
    price = MACHINES[machine]
    return {
        "machine": (f"{machine}, ${price:.4f} an hour", price * HOURS),
        "disk": (f"{DISK} GB of gp3, ${DISK_GB} a GB", DISK_GB * DISK),
        "address": (f"public IPv4, ${ADDRESS_HOUR} an hour", ADDRESS_HOUR * HOURS),
        "bucket": (f"say {STORED} GB in S3, ${STORED_GB} a GB", STORED_GB * STORED),
    }


def bill(machine: str, region: str) -> str:
    """Return a table of the resources, what each costs a month, and the sum; 79 columns or less."""
    lines = monthly(machine)
    rows = [f"  {name:<10}{what:<42}${cost:6.2f}" for name, (what, cost) in lines.items()]
    total = sum(cost for _, cost in lines.values())
    where = "" if region == REGION else f" {region} may differ."
    return "\n".join(
        [
            "What it costs a month:",
            *rows,
            f"  {'together':<52}${total:6.2f}",
            "  Nothing more for CloudFormation, IAM, Parameter Store and Session Manager.",
            f"  Prices of {REGION}, without tax, as public lists had them on {READ}.",
            f"  The first 100 GB a month that leave AWS are free.{where} Today's prices:",
            *(f"    {url}" for url in SOURCES.values()),
        ]
    )


def keeping(size: float) -> float:
    """Return what it costs a month to keep so many bytes in the bucket, in US dollars."""
    return size / 1e9 * STORED_GB
