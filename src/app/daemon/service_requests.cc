// What clients of the control socket ask of the service. The calls come on the server's thread.
#include <nlohmann/json.hpp>
#include <utility>

#include "app/daemon/service.h"

namespace headroom::app {

void Service::Listen(const net::ListenRequest& request, net::Answer answer) {
  tasks_.Post([this, request, answer = std::move(answer)]() mutable {
    speech::RecognitionOptions run = request_;
    if (request.language == "auto") {
      run.language.clear();
    } else if (!request.language.empty()) {
      run.language = request.language;
    }
    pipeline_->SetRequest(std::move(run));
    dictation_->Listen(std::move(answer));
  });
}

void Service::Finish(net::Answer answer) {
  dictation_->Finish();
  GetStatus(std::move(answer));
}

void Service::Toggle(net::Answer answer) {
  if (dictation_->wanted()) {
    Finish(std::move(answer));
  } else {
    Listen({}, std::move(answer));
  }
}

void Service::Cancel(net::Answer answer) {
  dictation_->Cancel();
  pipeline_->CancelWaiting();
  GetStatus(std::move(answer));
}

void Service::Reload(net::Answer answer) {
  tasks_.Post([this, answer = std::move(answer)]() mutable { answer(ReloadNow()); });
}

void Service::Shutdown(net::Answer answer) {
  answer(net::ToJson(Status()));
  shutdown_ = true;
  tasks_.Wake();
}

void Service::GetStatus(net::Answer answer) {
  answer(net::ToJson(Status()));
}

void Service::SetDraining(bool on, net::Answer answer) {
  tasks_.Post([this, on, answer = std::move(answer)]() mutable {
    if (const auto set = servers_->SetDraining(on); !set)
      return answer(std::unexpected(set.error()));
    answer(net::ToJson(Status()));
  });
}

// For any program that may connect, so nothing that was spoken is in it.
std::optional<std::string> Service::Inspect(const std::string& name) const {
  if (name == "plan") return models_->plan();
  if (name != "status") return std::nullopt;
  nlohmann::json status = net::ToJson(Status());
  status.erase("partial");
  return status.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void Service::GetReport(const std::string& since, net::Answer answer) {
  tasks_.Post([this, since, answer = std::move(answer)]() mutable {
    reports_.Make(recording_ ? options_.state / "flight-record.db" : "", since, std::move(answer));
  });
}

void Service::GetModels(net::Answer answer) {
  tasks_.Post([this, answer = std::move(answer)]() mutable { models_->Get(std::move(answer)); });
}

void Service::LoadModel(net::Answer answer) {
  tasks_.Post([this, answer = std::move(answer)]() mutable { models_->Load(std::move(answer)); });
}

void Service::UnloadModel(net::Answer answer) {
  tasks_.Post([this, answer = std::move(answer)]() mutable { models_->Unload(std::move(answer)); });
}

Result<> Service::MayUnload() const {
  if (dictation_->state() != DictationState::kIdle)
    return Fail(Errc::kBusy, "the microphone is in use; end that first: headroom finish");
  const int clients = servers_->served().second;
  if (clients > 0 || pipeline_->status().waiting > 0)
    return Fail(Errc::kBusy, "the model is in use, by {} programs; drain them first", clients);
  return {};
}

void Service::GetHistory(const net::HistoryRequest& request, net::Answer answer) {
  tasks_.Post([this, request, answer = std::move(answer)]() mutable {
    history_controller_->Get(request, std::move(answer));
  });
}

void Service::PasteHistory(std::optional<std::int64_t> id, net::Answer answer) {
  tasks_.Post([this, id, answer = std::move(answer)]() mutable {
    history_controller_->Paste(id, std::move(answer));
  });
}

void Service::ClearHistory(net::Answer answer) {
  tasks_.Post([this, answer = std::move(answer)]() mutable {
    history_controller_->Clear(std::move(answer));
  });
}

void Service::BeginYield(net::YieldId id, const std::string& who, net::Answer answer) {
  tasks_.Post([this, id, who, answer = std::move(answer)]() mutable {
    yields_.insert(id);
    yield_count_ = static_cast<int>(yields_.size());
    Publish(net::YieldChanged{who, true});
    if (!scheduler_->Yield(true))
      return answer(Fail(Errc::kTimeout, "the GPU was not left in time"));
    answer(nlohmann::json{{"left", true}});
  });
}

void Service::EndYield(net::YieldId id) {
  tasks_.Post([this, id] {
    yields_.erase(id);
    yield_count_ = static_cast<int>(yields_.size());
    Publish(net::YieldChanged{std::nullopt, !yields_.empty()});
    if (yields_.empty()) scheduler_->Yield(false, Milliseconds(0));
  });
}

}  // namespace headroom::app
