"""`mlflow_setup.py` on AWS where something is wrong: one sentence, an exit status, nothing half made."""

import pytest
from aws_server import machine_refuses, stack_fails
from setup_runs import ASKED, Setup

REASON = "WaitCondition received failed message: 'Port 443 is taken.' for uniqueId: mlflow"
WAITING = ("ServerReady", "AWS::CloudFormation::WaitCondition", REASON)
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


@pytest.mark.parametrize("command", ["down", "rotate-password"])
@pytest.mark.parametrize("answer", ["n\n", ""])
def test_what_is_not_agreed_to_is_not_done(standing: Setup, command: str, answer: str) -> None:
    password, former = standing.password, standing.commands()
    said = standing(command, answer=answer)
    assert (said.status, said.err) == (1, ASKED)
    assert standing.password == password
    assert standing.commands() == former
    assert standing.stack()["StackStatus"] == "CREATE_COMPLETE"


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
    password = setup.password
    again = setup.up()
    assert (again.status, again.err) == (0, "")
    assert f"Stack {setup.name}: ROLLBACK_COMPLETE" in again.out
    assert setup.password == password
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
