"""`mlflow_setup.py` as a person runs it, on an AWS of this machine: what it says, makes and leaves."""

import base64
import gzip
import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aws_server import (
    ACCOUNT,
    CERTIFICATE,
    AwsServer,
    aws_server,
    machine_comes_up,
    machine_notes,
    machine_refuses,
    machine_would_boot_anew,
    stack_fails,
)
from botocore.exceptions import ClientError

from tutorial.home import PROJECT

REASON = "WaitCondition received failed message: 'Port 443 is taken.' for uniqueId: mlflow"
WAITING = ("ServerReady", "AWS::CloudFormation::WaitCondition", REASON)
ASKED = "Nothing was changed: answer y, or give --yes.\n"
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


@dataclass(frozen=True)
class Said:
    """What a command left: its exit status, and what it wrote."""

    status: int
    out: str
    err: str


@dataclass
class Setup:
    """A workspace with the script, and a name under which nothing stands in the account yet."""

    folder: Path
    aws: AwsServer
    name: str
    settings: dict[str, str]
    said: list[str] = field(default_factory=list)

    def __call__(self, command: str, *arguments: str, answer: str = "", **settings: str) -> Said:
        script = self.folder / "scripts" / "mlflow_setup.py"
        nothing = str(self.folder / "nothing")
        env = {"AWS_CONFIG_FILE": nothing, "AWS_SHARED_CREDENTIALS_FILE": nothing, "NO_PROXY": "*"}
        done = subprocess.run(
            [sys.executable, script, command, "--stack", self.name, *arguments],
            cwd=self.folder,
            env=env | self.settings | settings,
            input=answer,
            capture_output=True,
            text=True,
        )
        self.said += [done.stdout, done.stderr]
        return Said(done.returncode, done.stdout, done.stderr)

    @property
    def bucket(self) -> str:
        return f"{self.name}-{ACCOUNT}-eu-west-1"

    @property
    def password(self) -> str:
        return self.aws.password(f"/{self.name}/password")

    def up(self, *arguments: str) -> Said:
        with machine_comes_up(self.aws, self.bucket):
            return self("up", "--yes", *arguments)

    def stack(self) -> dict[str, Any]:
        """The stack as AWS describes it; nothing where there is none."""
        listed = self.aws.client("cloudformation").describe_stacks()["Stacks"]
        return next((dict(each) for each in listed if each["StackName"] == self.name), {})

    def output(self, name: str) -> str:
        outputs = self.stack()["Outputs"]
        return next(str(o["OutputValue"]) for o in outputs if o["OutputKey"] == name)

    def commands(self) -> list[list[str]]:
        """What the machine was sent."""
        sent = self.aws.client("ssm").list_commands(InstanceId=self.output("InstanceId"))
        return [each["Parameters"]["commands"] for each in sent["Commands"]]

    def passwords(self) -> Iterator[str]:
        """All versions of the password that are kept."""
        for version in itertools.count(1):
            try:
                yield self.aws.password(f"/{self.name}/password:{version}")
            except ClientError:
                return

    def make_private(self) -> None:
        """Set what the template sets of the bucket, and moto does not make of a template."""
        s3 = self.aws.client("s3")
        versioning = {"Status": "Enabled"}
        s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration=versioning)
        names = (
            "BlockPublicAcls",
            "IgnorePublicAcls",
            "BlockPublicPolicy",
            "RestrictPublicBuckets",
        )
        shut = dict.fromkeys(names, True)
        s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration=shut)


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with aws_server() as server:
        yield server


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    return (f"server-{number}" for number in itertools.count(1))


def new_setup(folder: Path, server: AwsServer, name: str) -> Setup:
    (folder / "scripts").mkdir()
    for script in [
        PROJECT / "scripts" / "mlflow_setup.py",
        *(PROJECT / "scripts").glob("tracking_*"),
    ]:
        text = script.read_text(encoding="utf-8")
        # Nobody waits for a machine here.
        text = re.sub(r"^PAUSE = .*", "PAUSE = 0.05", text, flags=re.M)
        (folder / "scripts" / script.name).write_text(text, encoding="utf-8")
    (folder / "infra").mkdir()
    shutil.copy(PROJECT / "infra" / "mlflow.yaml", folder / "infra")
    for part in ("mlflow-requirements.txt", "mlflow.service", "nginx.conf.template"):
        (folder / "infra" / part).write_text(f"what stands for {part}\n", encoding="utf-8")
    return Setup(folder, server, name, server.environment())


def nothing_is_given_away(setup: Setup, passwords: list[str]) -> None:
    files = [file.read_bytes() for file in setup.folder.rglob("*") if file.is_file()]
    for password in passwords:
        assert not any(password in text for text in setup.said)
        assert not any(password.encode() in content for content in files)


@pytest.fixture
def setup(server: AwsServer, names: Iterator[str], tmp_path: Path) -> Iterator[Setup]:
    """The setup of a server that is not there yet. It never gives its password away."""
    setup = new_setup(tmp_path, server, next(names))
    yield setup
    nothing_is_given_away(setup, list(setup.passwords()))


@pytest.fixture(scope="module")
def standing(server: AwsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    """A server that stands, for those who only look. What `up` said is the first that is said."""
    setup = new_setup(tmp_path_factory.mktemp("standing"), server, "mlflow")
    said = setup.up()
    assert (said.status, said.err) == (0, "")
    yield setup
    nothing_is_given_away(setup, list(setup.passwords()))


def test_plan_says_what_would_be_made_and_what_it_costs_and_makes_nothing(setup: Setup) -> None:
    said = setup("plan")
    assert (said.status, said.err) == (0, "")
    assert f"Account {ACCOUNT}, region eu-west-1, as\narn:aws:" in said.out
    assert f"Stack {setup.name}: not there yet" in said.out
    assert setup.bucket in said.out
    assert "443 is open to 0.0.0.0/0" in said.out
    costs = [float(x) for x in re.findall(r"\$ *(\d+\.\d\d)$", said.out, re.M)]
    assert costs == [16.64, 1.41, 3.65, 0.23, 21.93]
    assert "2026-11-25" in said.out
    assert said.out.count("https://aws.amazon.com/") == 4
    assert max(map(len, said.out.splitlines())) <= 80
    assert setup.stack() == {}
    buckets = setup.aws.client("s3").list_buckets()["Buckets"]
    assert setup.bucket not in [each["Name"] for each in buckets]


def test_plan_follows_its_options(setup: Setup) -> None:
    said = setup(
        *("plan", "--instance-type", "t3.medium", "--cidr", "192.0.2.0/24"),
        *("--domain", "mlflow.example.org", "--zone", "Z0123456789"),
        *("--repository", "reader@1001/reviews@2002"),
    )
    assert "t3.medium, $0.0456 an hour" in said.out
    assert "$ 38.58" in said.out
    assert "443 is open to 192.0.2.0/24" in said.out
    assert "mlflow.example.org" in said.out
    assert "reader/reviews may write models and data" in said.out


def test_up_makes_the_server_and_says_how_to_use_it(standing: Setup) -> None:
    out = standing.said[0]
    steps = [line.split()[1:] for line in out.splitlines() if re.match(r"\d\d:\d\d:\d\d ", line)]
    assert steps == [
        ["mlflow", "CREATE_IN_PROGRESS"],
        ["Server", "CREATE_COMPLETE"],
        ["ServerReady", "CREATE_COMPLETE"],
        ["mlflow", "CREATE_COMPLETE"],
    ]
    assert standing.stack()["StackStatus"] == "CREATE_COMPLETE"
    uri = standing.output("TrackingUri")
    assert f"The server stands: {uri}\n" in out
    assert f"export MLFLOW_TRACKING_URI={uri} MLFLOW_TRACKING_USERNAME=mlflow" in out
    assert "aws ssm get-parameter --name /mlflow/password" in out
    assert "export MLFLOW_TRACKING_SERVER_CERT_PATH=infra/mlflow-ca.pem" in out
    assert (standing.folder / "infra" / "mlflow-ca.pem").read_bytes() == CERTIFICATE


def test_the_password_is_kept_encrypted_and_nowhere_else(standing: Setup) -> None:
    ssm, ec2, s3 = (standing.aws.client(service) for service in ("ssm", "ec2", "s3"))
    filters = [{"Key": "Name", "Option": "Equals", "Values": ["/mlflow/password"]}]
    (parameter,) = ssm.describe_parameters(ParameterFilters=filters)["Parameters"]
    assert parameter["Type"] == "SecureString"
    password = standing.password
    assert len(password) >= 40
    assert password not in repr(standing.stack())
    machine = standing.output("InstanceId")
    data = ec2.describe_instance_attribute(InstanceId=machine, Attribute="userData")
    assert password not in base64.b64decode(data["UserData"]["Value"]).decode()
    held = s3.get_object(Bucket=standing.bucket, Key="setup/host.tar.gz")["Body"].read()
    assert password not in gzip.decompress(held).decode()


def test_up_twice_says_that_it_stands(standing: Setup) -> None:
    password = standing.password
    said = standing("up")
    assert said.status == 0
    assert "Nothing has changed: template, parameters and scripts are as they stand." in said.out
    assert "The server stands: https://" in said.out
    assert standing.password == password


def test_status_says_what_stands_and_that_it_does_not_answer(standing: Setup) -> None:
    said = standing("status")
    assert said.status == 0
    assert "Stack mlflow: CREATE_COMPLETE" in said.out
    assert re.search(r"https://[\d.]+ does not answer \(.+\)", said.out)
    assert re.search(r"machine i-\w+: running", said.out)
    assert re.search(rf"bucket {standing.bucket}: 2 versions, [\d.]+ MB, \$0.00 a month", said.out)


@pytest.mark.parametrize("command", ["down", "rotate-password"])
@pytest.mark.parametrize("answer", ["n\n", ""])
def test_what_is_not_agreed_to_is_not_done(standing: Setup, command: str, answer: str) -> None:
    password = standing.password
    said = standing(command, answer=answer)
    assert (said.status, said.err) == (1, ASKED)
    assert standing.password == password
    assert standing.commands() == []
    assert standing.stack()["StackStatus"] == "CREATE_COMPLETE"


def test_up_asks_and_a_no_makes_nothing(setup: Setup) -> None:
    said = setup("up", answer="no\n")
    assert (said.status, said.err) == (1, ASKED)
    assert "together" in said.out  # it had said what it costs
    assert setup.stack() == {}
    assert list(setup.passwords()) == []
    with machine_comes_up(setup.aws, setup.bucket):
        assert setup("up", answer="y\n").status == 0


def test_up_changes_the_stack_when_the_template_did(setup: Setup) -> None:
    setup.up()
    template = setup.folder / "infra" / "mlflow.yaml"
    text = template.read_text(encoding="utf-8").replace("NoHalfUploads", "NoHalfUploadsAtAll")
    template.write_text(text, encoding="utf-8")
    refused = setup("up")
    assert (refused.status, refused.err) == (1, ASKED)
    assert "  Modify Bucket\n" in refused.out
    assert setup.stack()["StackStatus"] == "CREATE_COMPLETE"

    with machine_would_boot_anew():
        refused = setup("up", "--yes")
    assert refused.status == 1
    assert refused.err.startswith(
        "That changes what the machine does at its first boot: run `down`"
    )
    assert setup.stack()["StackStatus"] == "CREATE_COMPLETE"

    said = setup("up", "--yes")
    assert (said.status, said.err) == (0, "")
    assert "UPDATE_COMPLETE" in said.out
    assert setup.stack()["StackStatus"] == "UPDATE_COMPLETE"


def test_a_repository_gets_its_role_and_the_provider_that_the_account_has(setup: Setup) -> None:
    iam = setup.aws.client("iam")
    url = "https://token.actions.githubusercontent.com"
    provider = iam.create_open_id_connect_provider(Url=url)["OpenIDConnectProviderArn"]
    said = setup.up("--repository", "reader@1001/reviews@2002")
    role = re.escape(setup.output("GitHubRoleArn"))
    assert re.search(rf"The role of GitHub's workflows: {role}\n", said.out)
    values = {p["ParameterKey"]: p["ParameterValue"] for p in setup.stack()["Parameters"]}
    assert values["GitHubProviderArn"] == provider
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)


def test_new_scripts_and_a_new_password_are_taken_to_the_machine(setup: Setup) -> None:
    setup.up()
    with (setup.folder / "infra" / "nginx.conf.template").open("a") as block:
        block.write("# changed\n")
    said = setup("up")
    assert (said.status, said.err) == (0, "")
    assert "The scripts have changed. The machine takes them over:" in said.out
    assert setup.commands() == [["/usr/local/sbin/mlflow-host"]]

    former = setup.password
    said = setup("rotate-password", "--yes")
    assert (said.status, said.err) == (0, "")
    assert f"/{setup.name}/password is at version 2." in said.out
    assert "gh secret set" in said.out  # who uses it needs it again
    assert setup.password != former
    assert setup.commands() == [["/usr/local/sbin/mlflow-host"]] * 2


def test_a_machine_that_cannot_take_the_password_over_is_said(setup: Setup) -> None:
    setup.up()
    with machine_refuses("first line\nnginx does not take the block: line 3."):
        said = setup("rotate-password", "--yes")
        down = setup("down", "--yes")
    assert said.status == 1
    assert said.err == (
        "The machine could not do it: nginx does not take the block: line 3. Until it can, the old "
        "password is good: try again.\n"
    )
    assert down.status == 1
    assert "The runs are not backed up, so nothing was removed" in down.err
    assert setup.stack()["StackStatus"] == "CREATE_COMPLETE"
    assert setup("down", "--yes", "--no-backup").status == 0
    assert setup.stack() == {}


def test_down_backs_up_and_removes_all_but_the_bucket_which_the_next_up_takes(setup: Setup) -> None:
    setup.up()
    s3 = setup.aws.client("s3")
    s3.put_object(Bucket=setup.bucket, Key="mlflow/1/model", Body=b"x" * 1_000_000)

    with machine_notes() as noted:
        said = setup("down", "--yes")

    assert (said.status, said.err) == (0, "")
    assert noted == [["/usr/local/sbin/mlflow-backup"]]
    assert "DELETE_COMPLETE" in said.out
    assert setup.stack() == {}
    assert list(setup.passwords()) == []
    assert f"bucket {setup.bucket}: 3 versions, 1.0 MB, $0.00 a month" in said.out

    setup.make_private()
    again = setup.up()
    assert (again.status, again.err) == (0, "")
    assert "stands, used as it is" in again.out
    assert s3.get_object(Bucket=setup.bucket, Key="mlflow/1/model")["ContentLength"] == 1_000_000


def test_status_after_down_tells_the_command_that_leaves_nothing(setup: Setup) -> None:
    setup.up()
    setup("down", "--yes")
    said = setup("status")
    assert "Nothing else is left." in said.out
    command = said.out.splitlines()[-1]
    removed = subprocess.run(
        ["sh", "-c", command.replace("python", sys.executable, 1)],  # as a person would paste it
        env=setup.settings,
        capture_output=True,
        text=True,
    )
    assert (removed.returncode, removed.stderr) == (0, "")
    for last in (setup("status"), setup("down")):
        assert (last.status, last.err) == (0, "")
        assert f"Nothing is left of {setup.name} in eu-west-1, and nothing costs." in last.out


def test_a_bucket_that_is_not_private_is_not_taken(setup: Setup) -> None:
    where = {"LocationConstraint": "eu-west-1"}
    setup.aws.client("s3").create_bucket(Bucket="open-to-all", CreateBucketConfiguration=where)
    said = setup("up", "--yes", "--bucket", "open-to-all")
    assert said.status == 1
    assert said.err.startswith("The bucket open-to-all is not private with versions: ")
    assert setup.stack() == {}


def test_a_stack_that_fails_says_where_and_why_and_the_next_up_begins_anew(setup: Setup) -> None:
    with stack_fails(*WAITING, "ROLLBACK_COMPLETE"):
        said = setup("up", "--yes")
    assert said.status == 1
    assert said.err == (
        f"The stack failed at ServerReady (AWS::CloudFormation::WaitCondition): {REASON}. "
        "It was rolled back: nothing of it runs. Mend that, and run `up` again.\n"
    )
    again = setup.up()
    assert (again.status, again.err) == (0, "")
    assert f"Stack {setup.name}: ROLLBACK_COMPLETE" in again.out
    assert setup.stack()["StackStatus"] == "CREATE_COMPLETE"


def test_a_stack_that_cannot_be_rolled_back_says_what_to_do(setup: Setup) -> None:
    with stack_fails("Server", "AWS::EC2::Instance", "No capacity.", "ROLLBACK_FAILED"):
        said = setup("up", "--yes")
    assert said.status == 1
    assert said.err.startswith("The stack failed at Server (AWS::EC2::Instance): No capacity. ")
    assert "run `down`" in said.err


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            "There are no AWS credentials: run",
        ),
        ({"AWS_DEFAULT_REGION": ""}, "No region is set: set AWS_DEFAULT_REGION, to eu-west-1"),
        ({"AWS_PROFILE": "of-nobody"}, "AWS_PROFILE names a profile that is not there:"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "AWS does not answer: check the network"),
    ],
)
def test_settings_that_lead_nowhere_are_said(
    setup: Setup, settings: dict[str, str], sentence: str
) -> None:
    said = setup("plan", **settings)
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith(sentence)
    assert said.err.count("\n") == 1


def test_keys_that_aws_does_not_know_and_a_permission_that_is_missing_are_said(
    setup: Setup,
) -> None:
    iam = setup.aws.client("iam")
    iam.create_user(UserName="looker")
    actions = '["sts:*", "ec2:Describe*", "s3:*", "ssm:*", "cloudformation:Describe*"]'
    statement = f'{{"Effect": "Allow", "Resource": "*", "Action": {actions}}}'
    document = f'{{"Version": "2012-10-17", "Statement": [{statement}]}}'
    iam.put_user_policy(UserName="looker", PolicyName="look", PolicyDocument=document)
    key = iam.create_access_key(UserName="looker")["AccessKey"]
    keys = setup.aws.environment(key["AccessKeyId"], key["SecretAccessKey"])
    with setup.aws.enforcing():
        unknown = setup("plan")
        refused = setup("up", "--yes", **keys)
    assert unknown.status == 1
    assert unknown.err.startswith("AWS does not know these keys: ")
    assert refused.status == 1
    assert refused.err.startswith("You may not do CreateStack (")
    assert "cloudformation:CreateStack" in refused.err
    assert key["SecretAccessKey"] not in refused.out + refused.err
    assert setup.stack() == {}


def test_a_region_without_a_network_is_said(setup: Setup) -> None:
    ec2 = setup.aws.client("ec2", region="eu-west-2")
    (network,) = ec2.describe_vpcs()["Vpcs"]
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=network["VpcId"])
    said = setup("up", "--yes", AWS_DEFAULT_REGION="eu-west-2")
    assert said.status == 1
    assert said.err == "eu-west-2 has no default network: run `aws ec2 create-default-vpc`.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--domain", "mlflow.example.org"), "Give --domain and --zone together"),
        (("--repository", "reader/reviews"), "reader/reviews names no repository by its ids"),
    ],
)
def test_half_an_option_is_refused(setup: Setup, arguments: tuple[str, ...], sentence: str) -> None:
    said = setup("up", "--yes", *arguments)
    assert said.status == 1
    assert said.err.startswith(sentence)
    assert setup.stack() == {}


def test_the_password_of_a_server_that_is_not_there_is_not_renewed(setup: Setup) -> None:
    said = setup("rotate-password", "--yes")
    assert (said.status, said.err) == (
        1,
        f"There is no stack {setup.name} in eu-west-1: run `up`.\n",
    )
