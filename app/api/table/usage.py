"""Which operations are there on the use of credentials, as resource servers tell it?"""

from __future__ import annotations

from app.api import usage_bodies as bodies
from app.api import usage_examples as examples
from app.api.examples import CREDENTIAL_CHANGE
from app.api.operation import Operation
from app.api.preview_bodies import ChangePreview
from app.api.previews import ANSWERED, DAYS, PreviewOperations
from app.api.usage import PATH, UsageOperations
from app.inputs import bodies as inputs


def rows(do: UsageOperations, of_previews: PreviewOperations) -> tuple[Operation, ...]:
    return (
        Operation(
            name="reportUsage",
            method="POST",
            path=PATH,
            scope="usage:write",
            handler=do.report,
            summary="Report usage",
            description=(
                "What a process of a resource server has counted since its last report, and which changes of the feed"
                " it has applied. A batch is counted once, however often it is sent; what is not about credentials of"
                " the organization is ignored, and its number told. Of an API that yours shares, those of every"
                " organization count in which it is in force. 409: too many processes have reported; or the API is"
                " another organization's, whose resource servers report there."
            ),
            takes=bodies.UsageReport,
            gives=bodies.UsageTaken,
            versioned=False,
            conflicts=True,
            asked=examples.REPORT,
            answered=examples.TAKEN,
        ),
        Operation(
            name="readCredentialUsage",
            method="GET",
            path="/v1/credentials/{client_id}/usage",
            scope="credentials:read",
            own="personal:read",
            handler=do.of_credential,
            summary="Read what a credential is used for",
            description=(
                "By API, route, status and address, of the last 90 days; as resource servers have told. The last use"
                " of a secret at the token endpoint is a member of the credential itself."
            ),
            gives=bodies.CredentialUsage,
            versioned=False,
            answered=examples.USAGE,
        ),
        Operation(
            name="previewCredentialChange",
            method="POST",
            path="/v1/credentials/{client_id}/preview",
            scope="credentials:write",
            own="personal:write",
            handler=of_previews.preview,
            summary="Say what a change of a credential would do",
            description=(
                "Takes what `PATCH` takes, refuses what it would refuse (but for a name that is taken), and changes"
                " nothing. Whether every token that is out would end; and which calls of the last `days` (30, at most"
                " 90), as resource servers have told them, the new terms would have refused."
            ),
            takes=inputs.CredentialChange,
            gives=ChangePreview,
            query=(DAYS,),
            versioned=False,
            conflicts=True,
            asked=CREDENTIAL_CHANGE,
            answered=ANSWERED,
        ),
        Operation(
            name="listApiInstances",
            method="GET",
            path="/v1/apis/{api_id}/instances",
            scope="apis:read",
            handler=do.instances,
            summary="Read which instances have applied a change",
            description=(
                "Every process of the API's resource servers that has reported within an hour, and whether it has"
                " applied change `seq` of the generation feed: the last one, unless another is asked for. Of an API"
                " that another organization shares with yours, these are its. 404: there is no change with this number"
                " yet."
            ),
            gives=bodies.ApiInstances,
            versioned=False,
            query=("seq",),
            answered=examples.INSTANCES,
        ),
    )
