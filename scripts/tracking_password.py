"""The server's password: generated here, kept in Parameter Store, read by the machine, shown nowhere."""

import secrets

from botocore.exceptions import ClientError

from tracking_account import Account, code_of

USER = "mlflow"


def name_of(stack: str) -> str:
    """Return the parameter's name, which is no secret."""
    return f"/{stack}/password"


def generate(account: Account, name: str) -> bool:
    """Keep a password if there is none yet; tell whether one was made."""
    try:
        _put(account, name, overwrite=False)
    except ClientError as error:
        if code_of(error) != "ParameterAlreadyExists":
            raise
        return False
    return True


def renew(account: Account, name: str) -> int:
    """Keep a new password in place of the old one; return the number of its version."""
    return _put(account, name, overwrite=True)


def forget(account: Account, name: str) -> None:
    """Remove the password, with its former versions."""
    account.client("ssm").delete_parameters(Names=[name])


def kept(account: Account, name: str) -> bool:
    """Tell whether there is a password, without reading it."""
    filters = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    return bool(account.client("ssm").describe_parameters(ParameterFilters=filters)["Parameters"])


def usage(uri: str, name: str, certificate: str) -> str:
    """Return the lines that give a shell, and a repository on GitHub, the way to the server."""
    trust = "MLFLOW_TRACKING_SERVER_CERT_PATH"
    trusted = [f"export {trust}={certificate}"] if certificate else []
    told = [f"gh variable set {trust} --body {certificate}"] if certificate else []
    return "\n".join(
        [
            f"export MLFLOW_TRACKING_URI={uri} MLFLOW_TRACKING_USERNAME={USER}",
            f"export MLFLOW_TRACKING_PASSWORD=$(aws ssm get-parameter --name {name} \\",
            "  --with-decryption --query Parameter.Value --output text)",
            *trusted,
            "for part in URI USERNAME PASSWORD; do",
            "  printenv MLFLOW_TRACKING_$part | gh secret set MLFLOW_TRACKING_$part",
            "done",
            *told,
        ]
    )


def _put(account: Account, name: str, overwrite: bool) -> int:
    kept = account.client("ssm").put_parameter(
        Name=name,
        Value=secrets.token_urlsafe(32),  # 256 bits: nobody guesses, so nobody has to be locked out
        Type="SecureString",
        Description="The password of the MLflow tracking server",
        Overwrite=overwrite,
    )
    return int(kept["Version"])
