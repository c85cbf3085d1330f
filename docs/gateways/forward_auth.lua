-- Asks the token server whether the request may go on. Leaves the answer in variables: see haproxy.cfg.

local TOLD = { "client_id", "roles", "scopes", "organization", "project", "environment", "token_id" }

core.register_action("forward_auth", { "http-req" }, function(txn)
    txn:set_var("txn.auth_status", "503") -- until something else is known
    local headers = { ["x-forwarded-for"] = { txn.f:src() } }
    local sent = txn.http:req_get_headers()["authorization"]
    if sent then
        headers["authorization"] = {}
        for at = 0, #sent do
            table.insert(headers["authorization"], sent[at])
        end
    end
    local url = txn:get_var("txn.auth_url")
    local answer = core.httpclient():get({ url = url, headers = headers, timeout = 3000 })
    if not answer or not answer.status then
        return
    end
    txn:set_var("txn.auth_status", tostring(answer.status))
    local said = answer.headers or {}
    local challenge = said["www-authenticate"]
    txn:set_var("txn.auth_challenge", challenge and challenge[0] or "Bearer")
    for _, name in ipairs(TOLD) do
        local value = said["x-auth-" .. name:gsub("_", "-")]
        txn:set_var("txn.auth_" .. name, value and value[0] or "")
    end
end, 0)
