"""The template of the tracking server: what AWS would take, what it makes, and what keeps it shut."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_template import (
    BUCKET,
    DOMAIN,
    PASSWORD,
    PATH,
    REPOSITORY,
    Rehearsal,
    parsed,
    properties,
    rehearsal,
)
from botocore.exceptions import ClientError


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Rehearsal]:
    with rehearsal(monkeypatch, tmp_path) as aws:
        yield aws


def test_the_linter_finds_nothing() -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([linter, PATH], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)


def test_it_is_small_enough_to_be_sent_with_the_request() -> None:
    assert len(PATH.read_bytes()) < 51_200


def test_a_stack_is_made_changed_and_removed_and_the_bucket_stays(aws: Rehearsal) -> None:
    outputs = aws.create()
    assert outputs["BucketName"] == BUCKET
    assert re.fullmatch(r"https://[\d.]+", outputs["TrackingUri"])
    assert outputs["CertificateAuthority"] == f"s3://{BUCKET}/setup/ca.pem"
    assert "GitHubRoleArn" not in outputs

    aws.api.update_stack(**aws.request(REPOSITORY))
    assert ":role/mlflow-GitHubRole-" in aws.outputs()["GitHubRoleArn"]

    aws.client("s3").put_object(Bucket=BUCKET, Key="mlflow/1/model", Body=b"kept")
    aws.api.delete_stack(StackName="mlflow")
    with pytest.raises(ClientError, match="does not exist"):
        aws.outputs()
    assert aws.client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    machines = aws.client("ec2").describe_instances()["Reservations"]
    assert {each["State"]["Name"] for m in machines for each in m["Instances"]} == {"terminated"}
    assert aws.client("iam").list_roles()["Roles"] == []


def test_a_bucket_that_stands_is_used_as_it_is(aws: Rehearsal) -> None:
    where = {"LocationConstraint": "eu-west-1"}
    aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)

    assert aws.create(BucketExists="true")["BucketName"] == BUCKET

    assert "Bucket" not in aws.resources()


def test_with_a_domain_the_server_has_its_name(aws: Rehearsal) -> None:
    zone = aws.client("route53").create_hosted_zone(Name="example.org", CallerReference="1")
    number = zone["HostedZone"]["Id"].removeprefix("/hostedzone/")
    outputs = aws.create(**DOMAIN | {"HostedZoneId": number})

    assert outputs["TrackingUri"] == "https://mlflow.example.org"
    assert "CertificateAuthority" not in outputs
    records = aws.client("route53").list_resource_record_sets(HostedZoneId=number)
    assert "A" in [each["Type"] for each in records["ResourceRecordSets"]]
    (may,) = [
        statement
        for statement in aws.policies("ServerRole")["prove-the-name"]["Statement"]
        if statement["Action"] == "route53:ChangeResourceRecordSets"
    ]
    assert may["Resource"] == f"arn:aws:route53:::hostedzone/{number}"
    names = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
    assert may["Condition"]["ForAllValues:StringEquals"] == {
        names: ["_acme-challenge.mlflow.example.org"],
        "route53:ChangeResourceRecordSetsRecordTypes": ["TXT"],
    }


def test_workflows_of_main_and_of_production_get_the_role_and_no_others(aws: Rehearsal) -> None:
    issuer = "token.actions.githubusercontent.com"
    provider = f"arn:aws:iam::123456789012:oidc-provider/{issuer}"
    aws.create(**REPOSITORY, GitHubProviderArn=provider)
    (statement,) = aws.trust("GitHubRole")["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Principal"] == {"Federated": provider}
    # Compared as they are: a star would be a star, and a pull request has another subject.
    assert statement["Condition"] == {
        "StringEquals": {
            f"{issuer}:aud": "sts.amazonaws.com",
            f"{issuer}:sub": [
                "repo:reader@1001/reviews@2002:ref:refs/heads/main",
                "repo:reader@1001/reviews@2002:environment:production",
            ],
        }
    }


def test_github_is_introduced_to_the_account_once() -> None:
    """An account takes but one provider of a name."""
    (statement,) = properties("GitHubRole")["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"]["Federated"] == {
        "If": ["NewProvider", {"Ref": "GitHubProvider"}, {"Ref": "GitHubProviderArn"}]
    }
    assert parsed()["Resources"]["GitHubProvider"]["Condition"] == "NewProvider"
    assert parsed()["Conditions"]["NewProvider"] == {
        "And": [{"Condition": "HasRepository"}, {"Equals": [{"Ref": "GitHubProviderArn"}, ""]}]
    }


def test_ids_of_the_repository_are_not_optional() -> None:
    rule = parsed()["Rules"]["RepositoryAndIds"]
    asked = json.dumps(rule["Assertions"])
    assert all(f'"{name}"' in asked for name in REPOSITORY if name != "GitHubRepository")


# What moto and MiniStack do not make of a template.


def test_the_bucket_is_private_versioned_encrypted_and_outlives_the_stack() -> None:
    bucket, made = parsed()["Resources"]["Bucket"], properties("Bucket")
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")
    block = made["PublicAccessBlockConfiguration"]
    assert len(block) == 4
    assert all(value is True for value in block.values())
    assert made["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = made["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert made["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    for each in made["LifecycleConfiguration"]["Rules"]:  # nothing that is current ends
        assert not {"ExpirationInDays", "ExpirationDate"} & set(each)
        assert "NoncurrentVersionExpiration" not in each or each["Prefix"] == "backups/"


def test_the_bucket_is_reached_over_tls_only() -> None:
    resource, made = parsed()["Resources"]["BucketOverTlsOnly"], properties("BucketOverTlsOnly")
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
    (statement,) = made["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == (
        "Deny",
        "*",
        "s3:*",
    )
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2


def test_the_machine_lets_in_https_alone() -> None:
    (rule,) = properties("ServerFirewall")["SecurityGroupIngress"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 443, 443)
    assert rule["CidrIp"] == {"Ref": "AllowedCidr"}
    out = properties("ServerFirewall")["SecurityGroupEgress"]
    assert sorted(each["FromPort"] for each in out) == [80, 443]
    cidr = parsed()["Parameters"]["AllowedCidr"]
    assert cidr["Default"] == "0.0.0.0/0"
    assert "GitHub's runners and Heroku's dynos have no fixed addresses" in cidr["Description"]


def test_the_machine_asks_for_tokens_encrypts_its_disk_and_has_no_key_for_ssh() -> None:
    machine = properties("Server")
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    assert machine["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    (disk,) = machine["BlockDeviceMappings"]
    assert disk["Ebs"]["Encrypted"] is True
    assert disk["Ebs"]["DeleteOnTermination"] is True  # or it would go on costing
    assert "KeyName" not in machine
    assert machine["CreditSpecification"] == {"CPUCredits": "standard"}


def test_a_new_image_of_ubuntu_does_not_replace_a_machine_that_runs() -> None:
    """CloudFormation would look the value of its own parameter type up with every update."""
    image = parsed()["Parameters"]["UbuntuImage"]
    assert image["Type"] == "String"
    assert re.fullmatch(r"/aws/service/canonical/ubuntu/server/\d\d\.04/\S+", image["Default"])
    assert properties("Server")["ImageId"] == {"Sub": "resolve:ssm:${UbuntuImage}"}
    assert parsed()["Parameters"]["InstanceType"]["Default"] == "t3.small"


def test_no_secret_is_in_the_template(aws: Rehearsal) -> None:
    """Nor does any parameter take one: the password is named, and read by the machine alone."""
    names = parsed()["Parameters"]
    assert [name for name in names if re.search("secret|password|token|key", name, re.I)] == [
        "PasswordParameter"
    ]
    assert names["PasswordParameter"]["AllowedPattern"].startswith("^/")
    assert not re.search(r"AKIA|ASIA|BEGIN [A-Z ]*PRIVATE", PATH.read_text(encoding="utf-8"))
    aws.create()
    (statement,) = aws.policies("ServerRole")["its-password"]["Statement"]
    assert statement["Action"] == "ssm:GetParameter"
    assert statement["Resource"].endswith(f":parameter{PASSWORD}")


def test_stars_are_in_what_session_manager_needs_alone(aws: Rehearsal) -> None:
    """Its actions know no resources. Amazon's own policies are used nowhere."""
    aws.create(**REPOSITORY)
    for role in ("ServerRole", "GitHubRole"):
        assert "ManagedPolicyArns" not in properties(role)
        for name, document in aws.policies(role).items():
            for statement in document["Statement"]:
                assert "*" not in json.dumps(statement["Action"])
                wide = statement["Resource"] == "*"
                assert wide == (name == "session-manager")
                if wide:
                    assert all(
                        re.match("ssmmessages:|ec2messages:|ssm:UpdateInstance", action)
                        for action in statement["Action"]
                    )


def test_roles_are_written_in_the_policies_that_the_laptop_has(aws: Rehearsal) -> None:
    aws.create(**REPOSITORY)
    for role, name in (("ServerRole", "mlflow-artifacts"), ("GitHubRole", "trainer-writes")):
        text = (PATH.parent / f"{name}.json").read_text(encoding="utf-8")
        expected: Any = json.loads(text.replace("BUCKET", BUCKET))
        assert aws.policies(role)[name] == expected
